#include "minik/cli/api_client.h"

#include <unistd.h>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "minik/cli/api_connection.h"

namespace minik::cli {

namespace keys = control::keys;

Result<control::Value> api_get(const Profile& profile, const std::string& path) {
  MINIK_ASSIGN(auto connection, ApiConnection::open(profile));
  return connection.call({"GET", path, "", ""});
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
  return Error(ErrorCode::kTimeout,
               cat("the nodes are not ready: ", last, " (see ", profile.daemon_log(), ")"));
}

}  // namespace minik::cli
