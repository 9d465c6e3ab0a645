#include "minik/cli/api_client.h"

#define CPPHTTPLIB_OPENSSL_SUPPORT
#include <httplib.h>

#include "control/base/text.h"
#include "control/object/json.h"
#include "control/object/keys.h"

namespace minik::cli {

namespace keys = control::keys;

Result<control::Value> api_get(const Profile& profile, const std::string& path) {
  const std::string certificate = profile.pki() + "/admin.crt", key = profile.pki() + "/admin.key";
  httplib::SSLClient client("127.0.0.1", profile.api_port, certificate, key);
  client.set_ca_cert_path((profile.pki() + "/ca.crt").c_str());
  client.enable_server_certificate_verification(true);
  const auto response = client.Get(path.c_str());
  if (!response) {
    return Error(ErrorCode::kServiceUnavailable, cat("cluster ", profile.name, " does not answer: ",
                                                     httplib::to_string(response.error())));
  }
  MINIK_ASSIGN(auto document, control::parse_json(response->body));
  if (response->status != 200) {
    return Error(code_from_reason(document[keys::kReason].as_string()), document[keys::kMessage].string());
  }
  return document;
}

Status wait_for_nodes(const Profile& profile, int timeout_ms) {
  constexpr int kStepMs = 5;
  std::string last = "no node has registered";
  for (int waited = 0; waited < timeout_ms; waited += kStepMs) {
    const auto nodes = api_get(profile, "/api/v1/nodes");
    if (!nodes) {
      last = nodes.error().message;
    } else if (!(*nodes)[keys::kItems].empty()) {
      bool ready = true;
      for (const auto& node : (*nodes)[keys::kItems].items()) {
        bool this_ready = false;
        for (const auto& condition : node[keys::kStatus][keys::kConditions].items()) {
          if (condition[keys::kType].as_string() != "Ready") continue;
          this_ready = condition[keys::kStatus].as_string() == "True";
          last = condition[keys::kMessage].string();
        }
        ready = ready && this_ready;
      }
      if (ready) return {};
    }
    usleep(kStepMs * 1000);
  }
  return Error(ErrorCode::kTimeout, cat("the nodes are not ready: ", last, " (see ", profile.daemon_log(), ")"));
}

}  // namespace minik::cli
