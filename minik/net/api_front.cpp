#include "minik/net/api_front.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <variant>

#include "control/api/options.h"
#include "control/api/proxy_target.h"
#include "control/base/text.h"
#include "control/object/json.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"
#include "minik/net/api_answer.h"
#include "minik/net/api_call.h"
#include "minik/net/api_list.h"
#include "minik/net/api_proxy.h"
#include "minik/net/connect_options.h"

namespace minik {
namespace {

using control::ResourceCall;
using control::UserInfo;
using control::Verb;

constexpr const char* kAnonymous = "system:anonymous";
constexpr const char* kAuthenticated = "system:authenticated";

Error no_page() { return Error(ErrorCode::kNotFound, "the server could not find the requested resource"); }

Error no_server() {
  Error error(ErrorCode::kServiceUnavailable,
              "the API server is being started again from disk; try again");
  error.retry_after_seconds = 1;
  return error;
}

Error too_many_requests() {
  Error error(ErrorCode::kTooManyRequests, "too many requests, please try again later");
  error.retry_after_seconds = 1;
  return error;
}

// What looks at many objects costs more turns than what looks at one.
int64_t seats_for(const control::ApiRequest& request, const control::Store& store) {
  const bool many = request.verb == Verb::kList || request.verb == Verb::kDeleteCollection ||
                    (request.verb == Verb::kWatch && request.options.resource_version.empty());
  return many ? 1 + static_cast<int64_t>(store.count(request.kind)) / kApiObjectsPerSeat : 1;
}

// PodExecOptions and their like: what admission sees of a connection.
control::Value connect_options(const control::ApiRequest& request,
                               const std::vector<std::pair<std::string, std::string>>& parameters, std::string_view path) {
  using control::Value;
  const std::string_view sub = request.subresource;
  control::MapBuilder options;
  const std::string_view whose = request.kind == control::kinds::kServices ? "Service"
                                 : request.kind == control::kinds::kNodes  ? "Node"
                                                                           : "Pod";
  const std::string_view what = sub == "exec" ? "Exec" : sub == "attach" ? "Attach" : sub == "proxy" ? "Proxy" : "PortForward";
  options.set(control::keys::kApiVersion, "v1");
  options.set(control::keys::kKind, cat(whose, what, "Options"));
  if (sub == "proxy") options.set("path", std::string(split_proxy_path(path).rest));
  std::vector<Value> command, ports;
  for (const auto& [name, value] : parameters) {
    if (name == "command") command.emplace_back(value);
    if (name == "container") options.set("container", value);
    if (name == "ports") ports.emplace_back(parse_int64(value).value_or(0));
    const bool flag = name == "stdin" || name == "stdout" || name == "stderr" || name == "tty";
    if (flag && control::query_truth(value)) options.set(control::Key(name), true);
  }
  if (!command.empty()) options.set("command", Value::array(std::move(command)));
  if (!ports.empty()) options.set("ports", Value::array(std::move(ports)));
  return std::move(options).build();
}

bool is_pod_stream(const control::ApiRequest& request) {
  return request.verb == Verb::kConnect ||
         (request.kind == control::kinds::kPods && request.subresource == "log");
}

std::string percent_decoded(std::string_view text) {
  const auto parameters = query_parameters(cat("x=", text));
  return parameters.empty() ? std::string() : parameters[0].second;
}

// Whom the headers ask to be; nobody where there is none of them. The rest of an Impersonate-Extra- header's name is
// a key, percent-encoded.
std::optional<UserInfo> impersonated(const HttpRequest& request) {
  constexpr std::string_view kPrefix = "impersonate-", kExtra = "impersonate-extra-";
  std::optional<UserInfo> user;
  for (const auto& header : request.headers) {
    if (!header.name.starts_with(kPrefix)) continue;
    if (!user) user.emplace();
    if (header.name == "impersonate-user") user->name = header.value;
    if (header.name == "impersonate-uid") user->uid = header.value;
    if (header.name == "impersonate-group") user->groups.push_back(header.value);
    if (!header.name.starts_with(kExtra)) continue;
    const auto key = percent_decoded(std::string_view(header.name).substr(kExtra.size()));
    const auto known = std::ranges::find(user->extra, key, &decltype(user->extra)::value_type::first);
    (known == user->extra.end() ? user->extra.emplace_back(key, std::vector<std::string>()) : *known).second.push_back(header.value);
  }
  return user;
}

// Answered although the control thread is busy or gone: these say whether it is.
bool is_public(std::string_view path) {
  return path == "/version" || path == "/version/" || path.starts_with("/healthz") || path.starts_with("/livez") ||
         path.starts_with("/readyz");
}

control::AuditOrigin origin_of(const HttpRequest& request) {
  control::AuditOrigin origin;
  origin.uri = request.query.empty() ? request.path : cat(request.path, "?", request.query);
  const std::string& address = request.remote_address;
  if (!address.empty()) origin.source_ips.push_back(address.substr(0, address.rfind(':')));
  origin.user_agent = request.header("user-agent");
  return origin;
}

bool wants_watch(std::string_view query) {
  return control::query_flag(query_parameters(query), "watch");
}

Verb verb_of(std::string_view method) {
  return method == "POST"     ? Verb::kCreate
         : method == "PUT"    ? Verb::kUpdate
         : method == "PATCH"  ? Verb::kPatch
         : method == "DELETE" ? Verb::kDelete
                              : Verb::kGet;
}

UserInfo anonymous() {
  UserInfo user;
  user.name = kAnonymous;
  user.groups = {"system:unauthenticated"};
  return user;
}

}  // namespace

ApiFront::ApiFront(ApiFrontOptions options)
    : options_(std::move(options)),
      fan_out_(std::make_unique<WatchFanOut>(*options_.schema, *options_.control, options_.watch_limits,
                                             options_.wall_now)),
      queue_(std::make_shared<FairQueue>(*options_.control, options_.queue_limits)),
      proxy_tls_(*TlsClient::create({.check = ServerCheck::kNone})) {
  CHECK(options_.schema != nullptr && options_.control != nullptr && options_.pages != nullptr);
  CHECK(options_.server && options_.authenticate);
}

std::optional<HttpResponse> ApiFront::admit_body(const HttpRequest& head) const {
  const auto sender = options_.authenticate(head);
  if (!sender) return to_http(sender.error());
  if (sender->user.name != kAnonymous) return std::nullopt;
  return to_http(Error(ErrorCode::kForbidden, "a request of this size needs a client that is authenticated"));
}

bool ApiFront::streams_body(const HttpRequest& head) const {
  if (head.header_has_token("connection", "upgrade")) return false;
  const auto* others = options_.extension_servers;
  return !split_proxy_path(head.path).rest.empty() || (others && others->serving(head.path));
}

HttpResponse ApiFront::error_response(int status, const std::string& message) {
  const ErrorCode code = status == 413 ? ErrorCode::kRequestEntityTooLarge : ErrorCode::kBadRequest;
  HttpResponse response = to_http(Error(code, message));
  response.status = status;
  return response;
}

void ApiFront::handle(HttpRequest request, Responder responder) const {
  auto exchange = std::make_shared<Exchange>(Exchange{std::move(request), std::move(responder)});
  if (options_.audits) exchange->audit = std::make_shared<control::AuditContext>(origin_of(exchange->request));
  auto sender = options_.authenticate(exchange->request);
  if (!sender) return refuse(exchange, std::move(sender).error());
  exchange->sender = *std::move(sender);
  exchange->as = impersonated(exchange->request);
  if (const auto* others = options_.extension_servers) {
    if (const auto api = others->serving(exchange->request.path)) return serve_remote(exchange, *api);
  }
  auto http = to_api_call(exchange->request);
  if (!http) return refuse_unknown(exchange, http.error());
  auto call = control::parse_call(*options_.schema, *http);
  if (!call) return refuse_unknown(exchange, call.error());
  if (const auto* plain = std::get_if<control::PlainCall>(&*call)) return serve_page(exchange, *plain);
  exchange->call = std::get<ResourceCall>(*std::move(call));
  serve_resource(exchange);
}

Result<UserInfo> ApiFront::identify(const Exchange& exchange, control::ApiServer& server) const {
  // Why a token is refused is not told to who sent it.
  if (exchange.sender.bond && !server.check_bound(*exchange.sender.bond).ok())
    return Error(ErrorCode::kUnauthorized, "Unauthorized");
  if (!exchange.as) return exchange.sender.user;
  MINIK_ASSIGN(auto user, server.impersonate(exchange.sender.user, *exchange.as));
  if (exchange.audit) exchange.audit->origin.impersonator = exchange.sender.user;
  return user;
}

void ApiFront::refuse(const ExchangePtr& exchange, Error error) const {
  if (!exchange->audit) return exchange->responder.respond(to_http(error));
  options_.control->post([this, exchange, error = std::move(error)] {
    audit_refusal(*exchange, error);
    exchange->responder.respond(to_http(error));
  });
}

void ApiFront::audit_refusal(const Exchange& exchange, const Error& error) const {
  control::ApiServer* server = options_.server();
  if (!exchange.audit || !server || !server->auditor()) return;
  const auto asked = control::attributes_of_path(exchange.request.method, exchange.request.path);
  const auto now = options_.control->wall_now();
  server->auditor()->begin(*exchange.audit, exchange.sender.user, asked.view(), now);
  server->auditor()->complete(*exchange.audit, error.http_status(), &error, now);
}

void ApiFront::refuse_unknown(const ExchangePtr& exchange, const Error& error) const {
  options_.control->post([this, exchange, error] {
    control::ApiServer* server = options_.server();
    if (server == nullptr) return exchange->responder.respond(to_http(no_server()));
    const auto user = identify(*exchange, *server);
    if (!user) return refuse(exchange, user.error());
    const auto asked = control::attributes_of_path(exchange->request.method, exchange->request.path);
    const Status allowed = server->may_ask(*user, asked, exchange->audit);
    finish_page(exchange, to_http(allowed.ok() ? error : allowed.error()));
  });
}

void ApiFront::serve_page(const ExchangePtr& exchange, const control::PlainCall& call) const {
  if (is_public(call.path) && !exchange->as && !exchange->audit) {
    auto page = options_.pages->page(call);
    return exchange->responder.respond(page ? *std::move(page) : to_http(no_page()));
  }
  options_.control->post([this, exchange, call] {
    control::ApiServer* server = options_.server();
    if (server == nullptr) return exchange->responder.respond(to_http(no_server()));
    const auto user = identify(*exchange, *server);
    if (!user) return refuse(exchange, user.error());
    const auto asked = control::attributes_of_path(exchange->request.method, exchange->request.path);
    if (const Status allowed = server->may_ask(*user, asked, exchange->audit); !allowed.ok())
      return finish_page(exchange, to_http(allowed.error()));
    send_page(exchange, call, *server);
  });
}

void ApiFront::serve_remote(const ExchangePtr& exchange, const control::RemoteApi& api) const {
  options_.control->post([this, exchange, api] {
    control::ApiServer* server = options_.server();
    if (server == nullptr) return exchange->responder.respond(to_http(no_server()));
    auto user = identify(*exchange, *server);
    if (!user) return refuse(exchange, user.error());
    auto asked = control::attributes_of_path(exchange->request.method, exchange->request.path);
    if (asked.verb == "list" && wants_watch(exchange->request.query)) asked.verb = "watch";
    // How long its answer takes is the other server's and the client's business, so each counts as one that lasts.
    auto place = queue_->open_long_running(user->name);
    if (!place) return refuse(exchange, too_many_requests());
    exchange->responder.hold(std::move(place));
    exchange->call.request.user = *std::move(user);
    exchange->flow = server->flow_classifier().classify(exchange->call.request.user, asked.view());
    const bool queued = submit(exchange, *server, 1, [this, exchange, api, asked](FairQueue::Seat seat) {
      begin_remote(exchange, api, asked, std::move(seat));
    });
    if (!queued) refuse(exchange, too_many_requests());
  });
}

void ApiFront::begin_remote(const ExchangePtr& exchange, const control::RemoteApi& api, const control::PathAttributes& asked,
                            FairQueue::Seat seat) const {
  if (exchange->request.method == "GET" && exchange->responder.client_gone()) return;
  control::ApiServer* server = options_.server();
  if (server == nullptr) return exchange->responder.respond(to_http(no_server()));
  if (const Status allowed = server->may_ask(exchange->call.request.user, asked, exchange->audit); !allowed.ok())
    return finish_page(exchange, to_http(allowed.error()));
  if (!forward(exchange, api, *server, std::move(seat)))
    finish_page(exchange, HttpResponse::text(503, "service unavailable\n"));
}

Status ApiFront::forward(const ExchangePtr& exchange, const control::RemoteApi& api, control::ApiServer& server,
                         FairQueue::Seat seat) const {
  if (!api.available) return Error(ErrorCode::kServiceUnavailable, "service unavailable");
  HttpsExtensionServers::Forward how;
  how.user = exchange->call.request.user;
  MINIK_ASSIGN(how.endpoints, control::service_endpoints(server.store(), api.namespace_, api.service, cat(api.port)));
  std::rotate(how.endpoints.begin(), how.endpoints.begin() + static_cast<ptrdiff_t>(turn_++ % how.endpoints.size()),
              how.endpoints.end());
  // Until the other server answers. How fast the client takes the answer is no load here.
  const auto held = std::make_shared<CarriedSeat>(*options_.control, std::move(seat));
  exchange->responder.hold(held);
  how.answered = [this, exchange, held](int status) {
    held->give_back();
    audit_page(exchange, status);
  };
  how.headers = answer_headers(exchange->flow, exchange->audit.get());
  exchange->responder.loop()->post([this, exchange, api, how = std::move(how)] {
    const Status sent = options_.extension_servers->forward(exchange->request, exchange->responder, api, how);
    if (!sent) finish_page(exchange, to_http(sent.error()));
  });
  return {};
}

void ApiFront::send_page(const ExchangePtr& exchange, const control::PlainCall& call, control::ApiServer& server) const {
  if (call.path == "/metrics") {
    const auto format = call.open_metrics ? MetricFormat::kOpenMetrics : MetricFormat::kPrometheus;
    return finish_page(exchange, {200, {{"content-type", metrics_content_type(format)}}, server.metrics().text(format)});
  }
  // A page may take long to be made; that is for the thread of the connection.
  exchange->responder.loop()->post([this, exchange, call] {
    auto page = options_.pages->page(call);
    finish_page(exchange, page ? *std::move(page) : to_http(no_page()));
  });
}

void ApiFront::audit_page(const ExchangePtr& exchange, int code) const {
  if (!exchange->audit) return;
  options_.control->post([this, exchange, code] {
    control::ApiServer* server = options_.server();
    if (server && server->auditor()) server->auditor()->complete(*exchange->audit, code, nullptr, options_.control->wall_now());
  });
}

void ApiFront::finish_page(const ExchangePtr& exchange, HttpResponse response) const {
  audit_page(exchange, response.status);
  exchange->responder.respond(std::move(response));
}

std::string metrics_content_type(MetricFormat format) {
  return format == MetricFormat::kOpenMetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                              : "text/plain; version=0.0.4; charset=utf-8";
}

void ApiFront::serve_resource(const ExchangePtr& exchange) const {
  options_.control->post([this, exchange] { queue_request(exchange); });
}

void ApiFront::queue_request(const ExchangePtr& exchange) const {
  control::ApiServer* server = options_.server();
  if (server == nullptr) return answer(exchange, no_server());
  auto user = identify(*exchange, *server);
  if (!user) return refuse(exchange, std::move(user).error());
  exchange->call.request.user = *std::move(user);
  exchange->call.request.audit = exchange->audit;
  const control::ApiRequest& request = exchange->call.request;
  exchange->flow = server->flow_classifier().classify(request);
  if (request.verb == Verb::kWatch || is_pod_stream(request)) {
    auto place = queue_->open_long_running(request.user.name);
    if (!place) return refuse_for_load(exchange);
    exchange->responder.hold(std::move(place));
  }
  const bool queued = submit(exchange, *server, seats_for(request, server->store()),
                             [this, exchange](FairQueue::Seat seat) { begin_request(exchange, std::move(seat)); });
  if (!queued) refuse_for_load(exchange);
}

bool ApiFront::submit(const ExchangePtr& exchange, control::ApiServer& server, int64_t seats, FairQueue::Run run) const {
  const int64_t shares = server.flow_classifier().total_shares();
  if (queue_->submit(exchange->flow, shares, seats, std::move(run))) return true;
  server.metrics()
      .counter("apiserver_flowcontrol_rejected_requests_total", "Requests that found no place to wait.",
               {{"flow_schema", exchange->flow.schema},
                {"priority_level", exchange->flow.level->name},
                {"reason", "queue-full"}})
      .add();
  return false;
}

void ApiFront::refuse_for_load(const ExchangePtr& exchange) const {
  audit_refusal(*exchange, too_many_requests());
  answer(exchange, too_many_requests());
}

void ApiFront::begin_request(const ExchangePtr& exchange, FairQueue::Seat seat) const {
  // While it waited its client may have left, as the clients of a herd do that have lost their patience. A write
  // is carried out: who sent it may have seen nothing but its connection break.
  const Verb verb = exchange->call.request.verb;
  const bool reads = verb == Verb::kGet || verb == Verb::kList || verb == Verb::kWatch;
  if (reads && exchange->responder.client_gone()) return;
  control::ApiServer* server = options_.server();
  if (server == nullptr) return answer(exchange, no_server());
  if (is_pod_stream(exchange->call.request)) {
    open_stream(exchange, *server);
  } else if (verb == Verb::kWatch) {
    begin_watch(exchange, *server);
  } else {
    handle_request(exchange, *server, std::move(seat));
  }
}

void ApiFront::handle_request(const ExchangePtr& exchange, control::ApiServer& server, FairQueue::Seat seat) const {
  if (options_.may_handle) {
    if (Status may = options_.may_handle(exchange->call.request); !may) return answer(exchange, std::move(may).error());
  }
  server.handle(exchange->call.request, [this, exchange, seat = std::move(seat)](Result<control::ApiResponse> result) {
    answer(exchange, std::move(result));
  });
}

void ApiFront::begin_watch(const ExchangePtr& exchange, control::ApiServer& server) const {
  const auto watch = std::make_shared<ApiWatch>(*fan_out_, *options_.schema, exchange->call,
                                                answer_headers(exchange->flow, exchange->audit.get()), exchange->responder);
  if (Status begun = watch->begin(server); !begun) answer(exchange, std::move(begun).error());
}

// Only reading: what the agent says of itself, not what one could do to its containers through it.
Status ApiFront::serve_agent_page(const ExchangePtr& exchange, const std::string& node) const {
  if (!options_.agent_page) return Error(ErrorCode::kServiceUnavailable, cat("no node agent answers for ", node));
  if (exchange->request.method != "GET")
    return Error(ErrorCode::kMethodNotAllowed, "only GET is offered for pages of a node's agent");
  const bool open_metrics = exchange->request.header("accept").find("application/openmetrics-text") != std::string::npos;
  AgentPageRequest wanted{node, std::string(split_proxy_path(exchange->request.path).rest),
                          open_metrics ? MetricFormat::kOpenMetrics : MetricFormat::kPrometheus};
  options_.agent_page(wanted, [exchange](Result<AgentPage> page) {
    HttpResponse response = page ? HttpResponse{200, {{"content-type", page->content_type}}, page->body}
                                 : to_http(page.error());
    exchange->responder.respond(std::move(response));
  });
  return {};
}

Status ApiFront::proxy(const ExchangePtr& exchange, control::ApiServer& server) const {
  const control::ApiRequest& request = exchange->call.request;
  // What is done through it is what the method does.
  control::ApiRequest asked = request;
  asked.verb = verb_of(exchange->request.method);
  MINIK_TRY(server.may_connect(asked));
  MINIK_ASSIGN(auto target, control::find_proxy_target(server.store(), server.schema(), request));
  if (!target.agent_of.empty()) return serve_agent_page(exchange, target.agent_of);
  if (!options_.open_socket) return Error(ErrorCode::kServiceUnavailable, "this cluster has no pod network");
  exchange->responder.loop()->post([exchange, target = std::move(target), turn = turn_++, network = ProxyNetwork{options_.open_socket, proxy_tls_}] {
    serve_proxy(exchange->request, exchange->responder, target, turn, network);
  });
  return {};
}

// A CONNECT is first shown to users' webhooks and policies, which may take a while.
void ApiFront::open_stream(const ExchangePtr& exchange, control::ApiServer& server) const {
  const auto go_on = [this, exchange](const Result<control::ApiResponse>& admitted) {
    control::ApiServer* now = options_.server();
    if (!admitted) return answer(exchange, admitted.error());
    if (now == nullptr) return answer(exchange, no_server());
    // What admission has made of the options counts; the parameters of a proxied request are not options.
    if (admitted->object.is_map() && exchange->call.request.subresource != "proxy") {
      exchange->call.parameters = connect_parameters(admitted->object);
    }
    if (Status connected = connect(exchange, *now); !connected) answer(exchange, std::move(connected).error());
  };
  if (exchange->call.request.verb != Verb::kConnect) return go_on(control::ApiResponse{});
  control::ApiRequest asked = exchange->call.request;
  asked.body = connect_options(asked, exchange->call.parameters, exchange->request.path);
  server.handle(std::move(asked), go_on);
}

Status ApiFront::connect(const ExchangePtr& exchange, control::ApiServer& server) const {
  const control::ApiRequest& request = exchange->call.request;
  if (request.subresource == "proxy") return proxy(exchange, server);
  if (options_.streams == nullptr) {
    return Error(ErrorCode::kServiceUnavailable, "this cluster has no running containers");
  }
  MINIK_ASSIGN(auto target, server.connect(request));
  const auto on_loop = [&exchange](Task task) {
    exchange->responder.loop()->post(std::move(task));
  };
  if (request.subresource == "log") {
    MINIK_ASSIGN(const auto log, parse_log_request(std::move(target), exchange->call.parameters));
    MINIK_ASSIGN(auto start, options_.streams->log(log));
    on_loop([exchange, start = std::move(start)] {
      const Responder& responder = exchange->responder;
      start(responder.stream({200, {{"content-type", "text/plain"}}, ""}, {.may_rest = true}),
            [responder](Task task) { responder.on_close(std::move(task)); });
    });
    return {};
  }
  if (request.subresource == "portforward") {
    MINIK_ASSIGN(auto connect_port, options_.streams->port_forward(target));
    on_loop([exchange, connect_port = std::move(connect_port)] {
      serve_port_forward(exchange->request, exchange->responder, connect_port);
    });
    return {};
  }
  MINIK_ASSIGN(const auto exec, parse_exec_request(std::move(target), exchange->call.parameters));
  if (request.subresource == "exec" && exec.command.empty()) {
    return Error(ErrorCode::kBadRequest, "you must specify at least one command for the container");
  }
  MINIK_ASSIGN(auto start, request.subresource == "exec" ? options_.streams->exec(exec)
                                                         : options_.streams->attach(exec));
  on_loop([exchange, options = exec.options, start = std::move(start)] {
    serve_remote_command(exchange->request, exchange->responder, options, start);
  });
  return {};
}

// Whether the answer is a long list, which now is on its way.
bool ApiFront::begin_long_list(const control::Schema& schema, const Exchange& exchange,
                               const Result<control::ApiResponse>& result, WallTime now) {
  const control::ResponseFormat& format = exchange.call.format;
  if (!result || format.yaml || exchange.call.request.verb != Verb::kList || !ListAnswer::is_long(result->object)) {
    return false;
  }
  control::Value list = control::shown(schema, exchange.call, *result, now);
  if (!ListAnswer::is_long(list)) return false;  // a Table has rows
  control::HttpReply head;
  head.warnings = result->warnings;
  head.warnings.insert(head.warnings.end(), exchange.call.warnings.begin(), exchange.call.warnings.end());
  const size_t estimated_bytes = control::to_json(list[control::keys::kItems].items()[0]).size() *
                                 list[control::keys::kItems].size();
  const bool compress = estimated_bytes >= kHttpGzipBytesMin &&
                        exchange.request.header_has_token("accept-encoding", "gzip");
  HttpResponse response = to_http(std::move(head));
  for (HttpHeader& header : answer_headers(exchange.flow, exchange.audit.get())) response.headers.push_back(std::move(header));
  std::make_shared<ListAnswer>(std::move(list), exchange.responder, compress)->send(std::move(response));
  return true;
}

void ApiFront::answer(const ExchangePtr& exchange, Result<control::ApiResponse> result) const {
  // Shared, because a posted task must be copyable.
  auto shared = std::make_shared<const Result<control::ApiResponse>>(std::move(result));
  const auto& loop = exchange->responder.loop();
  loop->post([this, exchange, shared, loop] {
    const WallTime now = options_.wall_now ? options_.wall_now() : loop->wall_now();
    if (begin_long_list(*options_.schema, *exchange, *shared, now)) return;
    HttpResponse response = to_http(control::reply_to(*options_.schema, exchange->call, *shared, now));
    for (HttpHeader& header : answer_headers(exchange->flow, exchange->audit.get())) response.headers.push_back(std::move(header));
    exchange->responder.respond(std::move(response));
  });
}

Authenticate authenticate_with(control::TokenVerifier bearer, std::string audience) {
  return [bearer = std::move(bearer), audience = std::move(audience)](const HttpRequest& request) -> Result<Sender> {
    if (request.peer.state == PeerIdentity::State::kRejected) {
      return Error(ErrorCode::kUnauthorized, "Unauthorized");
    }
    if (request.peer.state == PeerIdentity::State::kVerified) {
      UserInfo user;
      user.name = request.peer.common_name;
      user.groups = request.peer.organizations;
      user.groups.emplace_back(kAuthenticated);
      if (!request.peer.fingerprint.empty())
        user.extra.push_back({"authentication.kubernetes.io/credential-id", {cat("X509SHA256=", request.peer.fingerprint)}});
      return Sender{std::move(user)};
    }
    const std::string_view authorization = request.header("authorization");
    if (authorization.empty()) return Sender{anonymous()};
    constexpr std::string_view kBearer = "bearer ";
    if (!bearer || authorization.size() <= kBearer.size() ||
        !equal_ignoring_case(authorization.substr(0, kBearer.size()), kBearer)) {
      return Error(ErrorCode::kUnauthorized, "Unauthorized");
    }
    // Why a token is refused is not told to who sent it.
    auto identity = bearer(trim(authorization.substr(kBearer.size())));
    if (!identity) return Error(ErrorCode::kUnauthorized, "Unauthorized");
    const auto& audiences = identity->audiences;
    if (!audiences.empty() && std::ranges::find(audiences, audience) == audiences.end())
      return Error(ErrorCode::kUnauthorized, "Unauthorized");
    return Sender{std::move(identity->user), std::move(identity->bond)};
  };
}

}  // namespace minik
