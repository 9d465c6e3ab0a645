#include "minik/net/api_front.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "control/base/text.h"
#include "control/object/json.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"
#include "minik/net/api_list.h"
#include "minik/net/protobuf_body.h"

namespace minik {
namespace {

using control::ResourceCall;
using control::UserInfo;
using control::Verb;

constexpr const char* kAuthenticated = "system:authenticated";

HttpResponse to_http(control::HttpReply reply) {
  HttpResponse response{reply.status, {{"content-type", std::move(reply.content_type)}}, {}};
  for (auto& [name, value] : reply.headers) response.headers.push_back({name, std::move(value)});
  for (const std::string& warning : reply.warnings) {
    response.headers.push_back({"warning", cat("299 - ", quoted(warning))});
  }
  // Lists change at any moment; a proxy or browser must not keep them.
  response.headers.push_back({"cache-control", "no-cache, private"});
  response.body = std::move(reply.body);
  return response;
}

HttpResponse to_http(const Error& error) {
  return to_http(control::reply_with(error));
}

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

std::vector<HttpHeader> flow_headers(const control::FlowClass& flow) {
  if (flow.schema_uid.empty()) return {};
  return {{"x-kubernetes-pf-flowschema-uid", flow.schema_uid}, {"x-kubernetes-pf-prioritylevel-uid", flow.level->uid}};
}

// What looks at many objects costs more turns than what looks at one.
int64_t seats_for(const control::ApiRequest& request, const control::Store& store) {
  const bool many = request.verb == Verb::kList || request.verb == Verb::kDeleteCollection ||
                    (request.verb == Verb::kWatch && request.options.resource_version.empty());
  return many ? 1 + static_cast<int64_t>(store.count(request.kind)) / kApiObjectsPerSeat : 1;
}

// Only what the conventions read: the rest of a request's headers stays where it is.
Result<control::HttpCall> to_call(HttpRequest& request) {
  control::HttpCall call;
  call.method = request.method;
  call.path = request.path;
  call.query = request.query;
  for (const char* name : {"accept", "content-type", "user-agent"}) {
    if (const auto value = request.header(name); !value.empty()) call.headers.emplace(name, value);
  }
  call.body = std::move(request.body);
  // One conversion here keeps every reader of bodies free of a second format.
  if (is_protobuf(request.header("content-type")) && !call.body.empty()) {
    MINIK_ASSIGN(const auto document, decode_protobuf(call.body));
    call.body = control::to_json(document);
    call.headers["content-type"] = "application/json";
  }
  return call;
}

bool is_pod_stream(const control::ApiRequest& request) {
  return request.verb == Verb::kConnect ||
         (request.kind == control::kinds::kPods && request.subresource == "log");
}

// Who the headers ask to be; extra attributes are not offered.
std::optional<UserInfo> impersonated(const HttpRequest& request) {
  UserInfo user;
  user.name = request.header("impersonate-user");
  if (user.name.empty()) return std::nullopt;
  user.uid = request.header("impersonate-uid");
  for (const auto& header : request.headers) {
    if (equal_ignoring_case(header.name, "impersonate-group")) user.groups.push_back(header.value);
  }
  return user;
}

bool is_public(std::string_view path) {
  return path == "/version" || path == "/version/" || path.starts_with("/healthz") || path.starts_with("/livez") ||
         path.starts_with("/readyz");
}

UserInfo anonymous() {
  UserInfo user;
  user.name = "system:anonymous";
  user.groups = {"system:unauthenticated"};
  return user;
}

}  // namespace

ApiFront::ApiFront(ApiFrontOptions options)
    : options_(std::move(options)),
      fan_out_(std::make_unique<WatchFanOut>(*options_.schema, *options_.control, options_.watch_limits,
                                             options_.wall_now)),
      queue_(std::make_shared<FairQueue>(*options_.control, options_.queue_limits)) {
  CHECK(options_.schema != nullptr && options_.control != nullptr && options_.pages != nullptr);
  CHECK(options_.server && options_.authenticate);
}

HttpResponse ApiFront::error_response(int status, const std::string& message) {
  const ErrorCode code = status == 413 ? ErrorCode::kRequestEntityTooLarge : ErrorCode::kBadRequest;
  HttpResponse response = to_http(Error(code, message));
  response.status = status;
  return response;
}

void ApiFront::handle(HttpRequest request, Responder responder) const {
  auto user = options_.authenticate(request);
  if (!user) return responder.respond(to_http(user.error()));
  auto http = to_call(request);
  if (!http) return responder.respond(to_http(http.error()));
  auto call = control::parse_call(*options_.schema, *http);
  if (!call) return responder.respond(to_http(call.error()));
  if (const auto* plain = std::get_if<control::PlainCall>(&*call)) {
    return serve_page(*plain, *user, responder);
  }
  auto exchange = std::make_shared<Exchange>(
      Exchange{std::move(request), std::move(responder), std::get<ResourceCall>(*std::move(call))});
  exchange->call.request.user = *std::move(user);
  exchange->as = impersonated(exchange->request);
  serve_resource(exchange);
}

void ApiFront::serve_page(const control::PlainCall& call, const UserInfo& user,
                          const Responder& responder) const {
  if (call.path == "/metrics") return serve_metrics(call, user, responder);
  // As the bindings of every cluster have it: health and version for all, the rest for those who are known.
  const bool known = std::ranges::find(user.groups, kAuthenticated) != user.groups.end();
  if (!known && !is_public(call.path)) {
    return responder.respond(to_http(Error(
        ErrorCode::kForbidden, cat("forbidden: User ", quoted(user.name), " cannot get path ", quoted(call.path)))));
  }
  auto page = options_.pages->page(call);
  if (page) return responder.respond(*std::move(page));
  responder.respond(
      to_http(Error(ErrorCode::kNotFound, "the server could not find the requested resource")));
}

std::string metrics_content_type(MetricFormat format) {
  return format == MetricFormat::kOpenMetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                              : "text/plain; version=0.0.4; charset=utf-8";
}

void ApiFront::serve_metrics(const control::PlainCall& call, const UserInfo& user, const Responder& responder) const {
  const auto format = call.open_metrics ? MetricFormat::kOpenMetrics : MetricFormat::kPrometheus;
  options_.control->post([this, responder, format, user] {
    control::ApiServer* server = options_.server();
    if (server == nullptr) return responder.respond(to_http(no_server()));
    if (const Status allowed = server->may_read(user, "/metrics"); !allowed)
      return responder.respond(to_http(allowed.error()));
    responder.respond({200,
                       {{"content-type", metrics_content_type(format)}},
                       server->metrics().text(format)});
  });
}

void ApiFront::serve_resource(const ExchangePtr& exchange) const {
  options_.control->post([this, exchange] { queue_request(exchange); });
}

void ApiFront::queue_request(const ExchangePtr& exchange) const {
  control::ApiServer* server = options_.server();
  if (server == nullptr) return answer(exchange, no_server());
  if (exchange->as) {
    auto user = server->impersonate(exchange->call.request.user, *exchange->as);
    if (!user) return answer(exchange, std::move(user).error());
    exchange->call.request.user = *std::move(user);
  }
  const control::ApiRequest& request = exchange->call.request;
  control::FlowClassifier& classifier = server->flow_classifier();
  exchange->flow = classifier.classify(request);
  if (request.verb == Verb::kWatch || is_pod_stream(request)) {
    auto place = queue_->open_long_running(request.user.name);
    if (!place) return answer(exchange, too_many_requests());
    exchange->responder.hold(std::move(place));
  }
  const bool queued =
      queue_->submit(exchange->flow, classifier.total_shares(), seats_for(request, server->store()),
                     [this, exchange](FairQueue::Seat seat) { begin_request(exchange, std::move(seat)); });
  if (queued) return;
  server->metrics()
      .counter("apiserver_flowcontrol_rejected_requests_total", "Requests that found no place to wait.",
               {{"flow_schema", exchange->flow.schema},
                {"priority_level", exchange->flow.level->name},
                {"reason", "queue-full"}})
      .add();
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
    if (Status connected = connect(exchange, *server); !connected) {
      answer(exchange, std::move(connected).error());
    }
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
                                                flow_headers(exchange->flow), exchange->responder);
  if (Status begun = watch->begin(server); !begun) answer(exchange, std::move(begun).error());
}

// Only reading: what the agent says of itself, not what one could do to its containers through it.
Status ApiFront::serve_agent_page(const ExchangePtr& exchange, control::ApiServer& server) const {
  control::ApiRequest get = exchange->call.request;
  MINIK_TRY(server.may_connect(get));
  if (exchange->request.method != "GET")
    return Error(ErrorCode::kMethodNotAllowed, "only GET is offered for pages of a node's agent");
  const std::string& path = exchange->request.path;
  const size_t rest = path.find("/proxy") + std::string_view("/proxy").size();
  const bool open_metrics = exchange->request.header("accept").find("application/openmetrics-text") != std::string::npos;
  AgentPageRequest wanted{get.name, path.substr(rest),
                          open_metrics ? MetricFormat::kOpenMetrics : MetricFormat::kPrometheus};
  options_.agent_page(wanted, [exchange](Result<AgentPage> page) {
    HttpResponse response = page ? HttpResponse{200, {{"content-type", page->content_type}}, page->body}
                                 : to_http(page.error());
    exchange->responder.respond(std::move(response));
  });
  return {};
}

Status ApiFront::connect(const ExchangePtr& exchange, control::ApiServer& server) const {
  const control::ApiRequest& request = exchange->call.request;
  if (request.kind == control::kinds::kNodes && options_.agent_page) return serve_agent_page(exchange, server);
  if (request.kind != control::kinds::kPods || request.subresource == "proxy") {
    return Error(ErrorCode::kMethodNotAllowed,
                 "proxying through the API server is not offered; use kubectl port-forward");
  }
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
      start(responder.stream({200, {{"content-type", "text/plain"}}, ""}),
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
  const size_t estimated_bytes = control::to_json(list[control::keys::kItems].items()[0]).size() *
                                 list[control::keys::kItems].size();
  const bool compress = estimated_bytes >= kHttpGzipBytesMin &&
                        exchange.request.header_has_token("accept-encoding", "gzip");
  HttpResponse response = to_http(std::move(head));
  for (HttpHeader& header : flow_headers(exchange.flow)) response.headers.push_back(std::move(header));
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
    for (HttpHeader& header : flow_headers(exchange->flow)) response.headers.push_back(std::move(header));
    exchange->responder.respond(std::move(response));
  });
}

Authenticate authenticate_with(std::function<Result<UserInfo>(std::string_view token)> bearer) {
  return [bearer = std::move(bearer)](const HttpRequest& request) -> Result<UserInfo> {
    if (request.peer.state == PeerIdentity::State::kRejected) {
      return Error(ErrorCode::kUnauthorized, "Unauthorized");
    }
    if (request.peer.state == PeerIdentity::State::kVerified) {
      UserInfo user;
      user.name = request.peer.common_name;
      user.groups = request.peer.organizations;
      user.groups.emplace_back(kAuthenticated);
      return user;
    }
    const std::string_view authorization = request.header("authorization");
    if (authorization.empty()) return anonymous();
    constexpr std::string_view kBearer = "bearer ";
    if (!bearer || authorization.size() <= kBearer.size() ||
        !equal_ignoring_case(authorization.substr(0, kBearer.size()), kBearer)) {
      return Error(ErrorCode::kUnauthorized, "Unauthorized");
    }
    // Why a token is refused is not told to who sent it.
    auto user = bearer(trim(authorization.substr(kBearer.size())));
    if (!user) return Error(ErrorCode::kUnauthorized, "Unauthorized");
    return user;
  };
}

}  // namespace minik
