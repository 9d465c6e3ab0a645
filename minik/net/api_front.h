// ApiFront: the way of an HTTP request to the API server and of its answer back.
//
//   I/O thread        authenticate, parse path and body into an ApiRequest of Values
//     --post-->       control thread: wait for its turn (FairQueue), ApiServer::handle, watch or connect
//     --post-->       I/O thread of the connection: encode Values as JSON, Table or YAML; send
//
// JSON never costs the control thread anything, and no Value is copied on the way. Watches hand
// over the events of a turn as one batch. What an APIService gives to another API server is authorized here and goes on
// as it is (extension_servers.h). exec, attach, port-forward and logs are authorized by the
// API server and carried by PodStreams. Pages outside of resources come from ApiPages.
//
// One for each HTTP listener's server; handle() is its HttpHandler. It must outlive the HttpServer,
// and what the options point to must outlive it. Without an API server (it is being rebuilt)
// requests are answered 503 and asked to come again.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "control/api/api_server.h"
#include "control/api/http.h"
#include "control/base/executor.h"
#include "minik/net/api_pages.h"
#include "minik/net/api_watch.h"
#include "minik/net/extension_servers.h"
#include "minik/net/fair_queue.h"
#include "minik/net/http_message.h"
#include "minik/net/pod_streams.h"
#include "minik/net/responder.h"
#include "minik/net/tls_client.h"
#include "minik/net/unique_fd.h"

namespace minik {

// Who sent a request. Called on I/O threads; kUnauthorized for credentials that are not valid. A token's objects are
// looked up afterwards, on the control thread.
struct Sender {
  control::UserInfo user;
  std::optional<control::TokenBond> bond = {};
};
using Authenticate = std::function<Result<Sender>(const HttpRequest&)>;

struct AgentPageRequest {
  std::string node;
  std::string path;  // "/metrics/resource"
  MetricFormat format = MetricFormat::kPrometheus;
};
struct AgentPage {
  std::string content_type, body;
};
std::string metrics_content_type(MetricFormat format);

struct ApiFrontOptions {
  const control::Schema* schema = nullptr;
  Executor* control = nullptr;
  // Called on the control thread; null while there is none.
  std::function<control::ApiServer*()> server;
  Authenticate authenticate;
  ApiPages* pages = nullptr;
  HttpsExtensionServers* extension_servers = nullptr;  // null: nothing is passed on to other API servers
  bool audits = false;  // whether the server's auditor wants to know where requests come from
  PodStreams* streams = nullptr;  // null: connections to pods are refused
  // A page of a node's agent, as nodes/NAME/proxy leads to it; called on the control thread, answers later.
  std::function<void(const AgentPageRequest&, std::function<void(Result<AgentPage>)>)> agent_page = {};
  // What tables count ages from, asked on I/O threads; empty: the real time.
  std::function<WallTime()> wall_now = {};
  // Why a request cannot be carried out now, if so; asked on the control thread. Empty: all can.
  std::function<Status(const control::ApiRequest&)> may_handle = {};
  WatchLimits watch_limits = {};
  FairQueueLimits queue_limits = {};
  // A non-blocking socket in the pods' network, for the proxy subresource; called on I/O threads.
  std::function<Result<UniqueFd>()> open_socket = {};
};

class ApiFront {
 public:
  explicit ApiFront(ApiFrontOptions options);

  void handle(HttpRequest request, Responder responder) const;
  // For HttpServerOptions: large bodies are read only from who has proved who he is.
  std::optional<HttpResponse> admit_body(const HttpRequest& head) const;
  // For HttpServerOptions: what goes on to a pod, Service or other API server is not read here, but passed on as it comes.
  bool streams_body(const HttpRequest& head) const;
  // For HttpServerOptions: what the parser refuses, as a Status.
  static HttpResponse error_response(int status, const std::string& message);

 private:
  // One request on its way.
  struct Exchange {
    HttpRequest request;
    Responder responder;
    control::ResourceCall call = {};
    Sender sender = {};
    std::optional<control::UserInfo> as = {};  // whom the sender asks to be
    control::FlowClass flow = {};  // from the control thread on
    std::shared_ptr<control::AuditContext> audit = {};
  };
  using ExchangePtr = std::shared_ptr<Exchange>;

  // On the control thread, first of all: who asks, and whether he may be whom he asks to be.
  Result<control::UserInfo> identify(const Exchange& exchange, control::ApiServer& server) const;
  void serve_page(const ExchangePtr& exchange, const control::PlainCall& call) const;
  void send_page(const ExchangePtr& exchange, const control::PlainCall& call, control::ApiServer& server) const;
  void audit_page(const ExchangePtr& exchange, int code) const;
  void finish_page(const ExchangePtr& exchange, HttpResponse response) const;
  // What could not be read is told only to who may ask for it.
  void refuse(const ExchangePtr& exchange, Error error) const;
  void refuse_for_load(const ExchangePtr& exchange) const;
  void audit_refusal(const Exchange& exchange, const Error& error) const;
  void refuse_unknown(const ExchangePtr& exchange, const Error& error) const;
  Status serve_agent_page(const ExchangePtr& exchange, const std::string& node) const;
  void serve_remote(const ExchangePtr& exchange, const control::RemoteApi& api) const;
  void begin_remote(const ExchangePtr& exchange, const control::RemoteApi& api, const control::PathAttributes& asked,
                    FairQueue::Seat seat) const;
  Status forward(const ExchangePtr& exchange, const control::RemoteApi& api, control::ApiServer& server, FairQueue::Seat seat) const;
  void open_stream(const ExchangePtr& exchange, control::ApiServer& server) const;
  Status proxy(const ExchangePtr& exchange, control::ApiServer& server) const;
  void serve_resource(const ExchangePtr& exchange) const;
  void queue_request(const ExchangePtr& exchange) const;
  // Has it wait in the line of its flow; false when that is full, which is counted.
  bool submit(const ExchangePtr& exchange, control::ApiServer& server, int64_t seats, FairQueue::Run run) const;
  void begin_request(const ExchangePtr& exchange, FairQueue::Seat seat) const;
  void handle_request(const ExchangePtr& exchange, control::ApiServer& server, FairQueue::Seat seat) const;
  void begin_watch(const ExchangePtr& exchange, control::ApiServer& server) const;
  Status connect(const ExchangePtr& exchange, control::ApiServer& server) const;
  void answer(const ExchangePtr& exchange, Result<control::ApiResponse> result) const;
  static bool begin_long_list(const control::Schema& schema, const Exchange& exchange,
                              const Result<control::ApiResponse>& result, WallTime now);

  const ApiFrontOptions options_;
  const std::unique_ptr<WatchFanOut> fan_out_;
  const std::shared_ptr<FairQueue> queue_;
  const std::shared_ptr<const TlsClient> proxy_tls_;
  mutable size_t turn_ = 0;  // of the endpoints behind a Service; control thread
};

// By client certificate (CN the user, O the groups), else by what `bearer` makes of a token that is meant for
// `audience`, else anonymous. Whether it may act as somebody else is the API server's question.
Authenticate authenticate_with(control::TokenVerifier bearer, std::string audience = {});

}  // namespace minik
