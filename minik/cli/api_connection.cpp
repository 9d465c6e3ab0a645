#include "minik/cli/api_connection.h"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include "control/base/text.h"
#include "control/object/json.h"
#include "control/object/keys.h"
#include "minik/net/unique_fd.h"

namespace minik::cli {

namespace keys = control::keys;
using control::Value;

struct ApiConnection::State {
  std::string name;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context{nullptr, SSL_CTX_free};
  UniqueFd fd;
  std::unique_ptr<SSL, decltype(&SSL_free)> tls{nullptr, SSL_free};

  Error down(std::string_view why) const {
    return Error(ErrorCode::kServiceUnavailable, cat("cluster ", name, " does not answer: ", why));
  }
  Status send(const ApiCall& call);
  // What has come next; empty at the end.
  std::string receive();
};

Status ApiConnection::State::send(const ApiCall& call) {
  std::string request = cat(call.method, " ", call.path, " HTTP/1.0\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n");
  if (!call.body.empty()) request += cat("Content-Type: ", call.content_type, "\r\nContent-Length: ", call.body.size(), "\r\n");
  request += cat("Connection: close\r\n\r\n", call.body);
  if (SSL_write(tls.get(), request.data(), static_cast<int>(request.size())) <= 0) return down("connection lost");
  return {};
}

std::string ApiConnection::State::receive() {
  char buffer[16384];
  const int n = SSL_read(tls.get(), buffer, sizeof buffer);
  return std::string(buffer, n > 0 ? static_cast<size_t>(n) : 0);
}

ApiConnection::ApiConnection(std::unique_ptr<State> state) : state_(std::move(state)) {}
ApiConnection::ApiConnection(ApiConnection&&) noexcept = default;
ApiConnection::~ApiConnection() = default;

Result<ApiConnection> ApiConnection::open(const Profile& profile) {
  auto state = std::make_unique<State>();
  state->name = profile.name;
  state->context.reset(SSL_CTX_new(TLS_client_method()));
  SSL_CTX* context = state->context.get();
  const std::string folder = profile.pki();
  if (SSL_CTX_load_verify_locations(context, (folder + "/ca.crt").c_str(), nullptr) != 1 ||
      SSL_CTX_use_certificate_chain_file(context, (folder + "/admin.crt").c_str()) != 1 ||
      SSL_CTX_use_PrivateKey_file(context, (folder + "/admin.key").c_str(), SSL_FILETYPE_PEM) != 1) {
    return state->down(cat("cannot read the keys in ", folder));
  }
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  state->fd = UniqueFd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(profile.api_port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(state->fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return state->down("connection refused");
  }
  state->tls.reset(SSL_new(context));
  SSL_set_fd(state->tls.get(), state->fd.get());
  if (SSL_connect(state->tls.get()) != 1) return state->down("its certificate is not the one of this profile");
  return ApiConnection(std::move(state));
}

Result<Value> ApiConnection::call(const ApiCall& call) {
  MINIK_TRY(state_->send(call));
  std::string answer;
  for (std::string part = state_->receive(); !part.empty(); part = state_->receive()) answer += part;
  const size_t head = answer.find("\r\n\r\n");
  if (head == std::string::npos) return Error(ErrorCode::kServiceUnavailable, "the cluster's answer was cut off");
  MINIK_ASSIGN(auto document, control::parse_json(std::string_view(answer).substr(head + 4)));
  const auto words = split(answer, ' ');
  if (words.size() < 2 || !words[1].starts_with('2')) {
    return Error(code_from_reason(document[keys::kReason].as_string()), document[keys::kMessage].string());
  }
  return document;
}

Status ApiConnection::watch(const std::string& path, const std::function<void(const Value&)>& on_event) {
  MINIK_TRY(state_->send({.method = "GET", .path = path, .content_type = "", .body = ""}));
  std::string waiting;
  bool in_body = false;
  for (std::string part = state_->receive(); !part.empty(); part = state_->receive()) {
    waiting += part;
    if (!in_body) {
      const size_t head = waiting.find("\r\n\r\n");
      if (head == std::string::npos) continue;
      in_body = true;
      waiting.erase(0, head + 4);
    }
    size_t line = 0;
    for (size_t end = waiting.find('\n'); end != std::string::npos; end = waiting.find('\n', line)) {
      MINIK_ASSIGN(const auto event, control::parse_json(std::string_view(waiting).substr(line, end - line)));
      on_event(event);
      line = end + 1;
    }
    waiting.erase(0, line);
  }
  return {};
}

void ApiConnection::end() { shutdown(state_->fd.get(), SHUT_RDWR); }

}  // namespace minik::cli
