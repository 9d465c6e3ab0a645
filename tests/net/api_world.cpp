#include "tests/net/api_world.h"

#include <sys/socket.h>
#include <unistd.h>

#include "control/base/text.h"
#include "control/schema/schema.h"

namespace minik {

Result<ExecStart> ShellStreams::exec(const PodExecRequest& request) {
  if (request.container == "broken") {
    return Error(ErrorCode::kBadRequest, "container broken is not running");
  }
  return shell_.start(join(request.command, " "), request.options.tty);
}

Result<ExecStart> ShellStreams::attach(const PodExecRequest& request) {
  return shell_.start("cat", request.options.tty);
}

Result<ConnectPort> ShellStreams::port_forward(const control::ConnectTarget&) {
  // Every port answers one line and ends.
  return ConnectPort([](uint16_t port, const std::function<void(Result<UniqueFd>)>& connected) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return;
    const std::string line = cat("this is port ", port, "\n");
    if (write(pair[1], line.data(), line.size()) < 0) return;
    close(pair[1]);
    connected(UniqueFd(pair[0]));
  });
}

Result<LogStart> ShellStreams::log(const PodLogRequest& request) {
  return LogStart(
      [text = log_text, follow = request.follow](const std::shared_ptr<ResponseStream>& stream,
                                                 const std::function<void(Task)>& on_close) {
        stream->write(text);
        if (follow) return on_close([stream] {});
        stream->finish();
      });
}

ApiWorld::ApiWorld(HttpServerOptions options, Limits limits) {
  const control::Schema& schema = control::Schema::builtin();
  store_ = std::make_unique<control::Store>(
      log_, [](const Error& error) { CHECK(false) << error.message; });
  const auto open_socket = []() -> Result<UniqueFd> {
    return UniqueFd(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  };
  const KeyPair proxy = *issue_client_certificate(test_pki().ca, kFrontProxyName, {}, control_loop_.wall_now(), hours(1));
  others_ = std::make_unique<HttpsExtensionServers>(
      control_loop_, outgoing_.loop(0), FrontProxyKeys{proxy.certificate_pem, proxy.private_key_pem}, open_socket);
  control::ApiServerOptions api_options;
  api_options.extension_servers = others_.get();
  api_ = std::make_unique<control::ApiServer>(control_loop_, *store_, schema, metrics_, Rng(1), std::move(api_options));
  shown_ = api_.get();
  control_loop_.post([this] { api_->bootstrap(); });
  pages_ = std::make_unique<ApiPages>(schema, ApiPagesOptions{.extension_servers = others_.get()});
  front_ = std::make_unique<ApiFront>(ApiFrontOptions{
      .schema = &schema,
      .control = &control_loop_,
      .server = [this] { return shown_; },
      .authenticate = authenticate_with([](std::string_view token) -> Result<control::TokenIdentity> {
        if (token != "good") return Error(ErrorCode::kUnauthorized, "no");
        control::TokenIdentity identity;
        identity.user.name = "system:serviceaccount:default:default";
        identity.user.groups = {"system:authenticated"};
        return identity;
      }),
      .pages = pages_.get(),
      .extension_servers = others_.get(),
      .streams = &streams_,
      .watch_limits = limits.watch,
      .queue_limits = limits.queue,
      .open_socket = open_socket});
  options.error_response = ApiFront::error_response;
  options.admit_body = [this](const HttpRequest& head) { return front_->admit_body(head); };
  options.streams_body = [this](const HttpRequest& head) { return front_->streams_body(head); };
  thread_ = std::thread([this] { control_loop_.run(); });
  server_ = std::make_unique<TestServer>(
      [this](HttpRequest request, Responder responder) {
        front_->handle(std::move(request), std::move(responder));
      },
      std::move(options));
}

void ApiWorld::put(control::KindId kind, const control::Value& object) {
  control([&] {
    store_->put(kind, object.with_at({"metadata", "resourceVersion"}, cat(store_->next_revision().value)));
    store_->commit();
  });
}

ApiWorld::~ApiWorld() {
  server_.reset();
  // What connections left behind ends on the control thread before the API server does.
  control([] {});
  control([this] { api_.reset(); });
  control_loop_.stop();
  thread_.join();
}

}  // namespace minik
