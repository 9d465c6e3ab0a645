#include "minik/cli/api_client.h"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>

#include "control/base/text.h"
#include "control/object/json.h"
#include "control/object/keys.h"
#include "minik/net/unique_fd.h"

namespace minik::cli {

namespace keys = control::keys;

namespace {

// One request over TLS with the administrator's certificate; HTTP/1.0, so that the answer is what
// comes until the end. Debian's cpp-httplib has no static archive, and this is all that the
// commands need.
Result<std::string> fetch(const Profile& profile, const std::string& path) {
  const auto down = [&](std::string_view why) {
    return Error(ErrorCode::kServiceUnavailable,
                 cat("cluster ", profile.name, " does not answer: ", why));
  };
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_client_method()),
                                                                  SSL_CTX_free);
  const std::string folder = profile.pki();
  if (SSL_CTX_load_verify_locations(context.get(), (folder + "/ca.crt").c_str(), nullptr) != 1 ||
      SSL_CTX_use_certificate_chain_file(context.get(), (folder + "/admin.crt").c_str()) != 1 ||
      SSL_CTX_use_PrivateKey_file(context.get(), (folder + "/admin.key").c_str(),
                                  SSL_FILETYPE_PEM) != 1) {
    return down(cat("cannot read the keys in ", folder));
  }
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  const UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(profile.api_port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return down("connection refused");
  const std::unique_ptr<SSL, decltype(&SSL_free)> tls(SSL_new(context.get()), SSL_free);
  SSL_set_fd(tls.get(), fd.get());
  if (SSL_connect(tls.get()) != 1) return down("its certificate is not the one of this profile");
  const std::string request =
      cat("GET ", path,
          " HTTP/1.0\r\nHost: 127.0.0.1\r\nAccept: application/json\r\nConnection: close\r\n\r\n");
  if (SSL_write(tls.get(), request.data(), static_cast<int>(request.size())) <= 0)
    return down("connection lost");
  std::string answer;
  char buffer[16384];
  int n = 0;
  while ((n = SSL_read(tls.get(), buffer, sizeof buffer)) > 0)
    answer.append(buffer, static_cast<size_t>(n));
  return answer;
}

}  // namespace

Result<control::Value> api_get(const Profile& profile, const std::string& path) {
  MINIK_ASSIGN(const std::string answer, fetch(profile, path));
  const size_t head = answer.find("\r\n\r\n");
  if (head == std::string::npos)
    return Error(ErrorCode::kServiceUnavailable, "the cluster's answer was cut off");
  MINIK_ASSIGN(auto document, control::parse_json(std::string_view(answer).substr(head + 4)));
  if (split(answer, ' ').size() < 2 || split(answer, ' ')[1] != "200") {
    return Error(code_from_reason(document[keys::kReason].as_string()),
                 document[keys::kMessage].string());
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
  return Error(ErrorCode::kTimeout,
               cat("the nodes are not ready: ", last, " (see ", profile.daemon_log(), ")"));
}

}  // namespace minik::cli
