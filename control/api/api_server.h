// ApiServer: what a kube-apiserver decides, on values. Registry, admission, validation, optimistic
// concurrency, graceful deletion, finalizers, watches and subresources for every kind of the schema.
//
//   request --> authorize --> decode, default --> admit --> validate --> stamp --> Store
//                                                                                   | durable
//   response <----------------------------------------------------------------------+
//
// A turn's writes are committed together at the end of the turn, and no response or watch event leaves
// before its revision is durable. Invariants: metadata.uid and creationTimestamp never change,
// generation grows exactly when the desired state changes, a write that changes nothing makes no new
// revision, and an object with finalizers is never removed.
//
// Control thread only. One for each cluster; destroyed and rebuilt from the log after a failed commit
// or a simulated crash. HTTP is another layer (http.h), as is who may connect (minik/net).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "control/access/authorizer.h"
#include "control/access/request_path.h"
#include "control/access/token_identity.h"
#include "control/audit/auditor.h"
#include "control/base/executor.h"
#include "control/base/metrics.h"
#include "control/base/rng.h"
#include "control/client/client.h"
#include "control/client/request.h"
#include "control/object/time_text.h"
#include "control/schema/schema.h"
#include "control/client/usage.h"
#include "control/store/store.h"

namespace minik::control {

class FieldSelection;
class FlowClassifier;

// Signs a ServiceAccount token (TokenRequest); the process has the key, the simulator a stand-in that is
// as deterministic as everything else there.
struct TokenOrder {
  TokenBond bond;
  std::vector<std::string> audiences;  // empty: the API server
  WallTime issued, expires;
};
using TokenIssuer = std::function<Result<std::string>(const TokenOrder&)>;

// Of whose writes metadata.managedFields keeps account: of clients on the network and, once one of them has written to an
// object, of everybody there; or always of everybody, which hardly two pods share and
// which a large simulation pays for dearly.
enum class FieldAccounts : uint8_t { kFromFirstClient, kAlways };

// How API servers behind this one know that a request that names its user in headers comes from it.
struct RequestHeaderTrust {
  std::string ca_pem;  // empty: nobody may
  std::string allowed_name;
};

struct ApiServerOptions {
  std::string service_cidr_prefix = "10.96.0.0/12";
  // Where the API itself answers inside the cluster; empty: no endpoints for the kubernetes Service.
  std::string advertise_address;
  int advertise_port = 6443;
  TokenIssuer issue_token;
  TokenVerifier verify_token;    // for TokenReviews; none: no token is known
  std::string api_audience;      // whom tokens without an audience are for
  std::shared_ptr<Auditor> auditor;  // null: no audit log
  // Who asks admission webhooks; null: they cannot be reached. Outlives the server.
  class WebhookCaller* webhook_caller = nullptr;
  class ExtensionServers* extension_servers = nullptr;  // null: other API servers cannot be reached; outlives the server
  RequestHeaderTrust request_header;
  std::string cluster_ca_pem;  // published in every namespace as kube-root-ca.crt
  Duration event_ttl = hours(1);
  FieldAccounts field_accounts = FieldAccounts::kFromFirstClient;
  // What is wrong with a TLS Secret's certificate and key, PEM both; empty: nothing. None: nobody looks.
  std::function<std::string(std::string_view, std::string_view)> key_pair_problem;
};

// A request that leads to a running container; the edge that owns the bytes carries it on.
struct ConnectTarget {
  std::string node;
  Value pod;
};

struct TwinKind;

class ApiServer {
 public:
  ApiServer(Executor& executor, Store& store, const Schema& schema, MetricRegistry& metrics, Rng rng,
            ApiServerOptions options);
  ~ApiServer();
  ApiServer(const ApiServer&) = delete;
  ApiServer& operator=(const ApiServer&) = delete;

  // Makes what every cluster has from the start: namespaces, the kubernetes Service, priority classes.
  void bootstrap();

  // `done` may run before this returns (a read of durable state) or later; exactly once unless the
  // server is destroyed first.
  void handle(ApiRequest request, ResponseCallback done);
  // Initial events and those of the window are delivered from inside this call.
  Result<std::unique_ptr<WatchHandle>> watch(ApiRequest request, WatchCallbacks callbacks);
  // All that are open end, as when the server goes.
  void end_watches();
  // Whether this user may open this connection, to a node's agent for example.
  Status may_connect(ApiRequest request);
  // Whether he may ask for a page that is no resource ("/metrics"), or for a resource that is not there. Begins its
  // account in the audit log, if `audit` is given; whoever answers completes it.
  Status may_ask(const UserInfo& user, const PathAttributes& asked, const std::shared_ptr<AuditContext>& audit);
  // kUnauthorized when an object that the token is bound to has gone.
  Status check_bound(const TokenBond& bond) const;
  // Whom `real` becomes by asking to be `wanted`, with the groups that follow from the name.
  Result<UserInfo> impersonate(const UserInfo& real, UserInfo wanted) const;
  // For pods/exec, attach, portforward and log: who is meant, after authorization.
  Result<ConnectTarget> connect(ApiRequest request);

  // Which requests wait behind which, for who has them wait.
  FlowClassifier& flow_classifier();

  // Where metrics.k8s.io asks.
  void set_usage_source(UsageSource source);

  const Schema& schema() const { return schema_; }
  Store& store() { return store_; }
  MetricRegistry& metrics() { return metrics_; }
  Auditor* auditor() const { return options_.auditor.get(); }

  // Deletes Events older than their time to live; runs by itself every five minutes.
  void expire_events();

 private:
  friend class Writer;
  friend class Subresources;
  friend class Admission;
  friend class CustomResources;
  friend class ApiAggregator;

  struct GatedRequest;
  void attempt(const std::shared_ptr<GatedRequest>& gated);
  Result<ApiResponse> dispatch(ApiRequest& request);
  Result<std::unique_ptr<WatchHandle>> begin_watch(const ApiRequest& request, WatchCallbacks callbacks);
  // What is authorized.
  Result<ApiResponse> perform(ApiRequest& request);
  Result<std::unique_ptr<WatchHandle>> perform_watch(const ApiRequest& request, WatchCallbacks callbacks);
  Result<ApiResponse> perform_twin(const TwinKind& twin, const ApiRequest& request);
  Result<std::unique_ptr<WatchHandle>> watch_twin(const TwinKind& twin, const ApiRequest& request,
                                                  WatchCallbacks callbacks);
  Result<ApiResponse> get(const ApiRequest& request);
  const Value& cluster_began() const;
  Result<ApiResponse> list(const ApiRequest& request);
  Result<std::shared_ptr<const ListSnapshot>> first_page(const ApiRequest& request, const FieldSelection& fields);
  std::shared_ptr<const ListSnapshot> newest(const ApiRequest& request, const FieldSelection& fields) const;
  std::shared_ptr<const ListSnapshot> durable(const ApiRequest& request, const FieldSelection& fields) const;
  Result<ConnectTarget> connect_target(const ApiRequest& request);
  void ask_usage(const ApiRequest& request, ResponseCallback done);
  void schedule_commit();
  Status authorize(const ApiRequest& request) const;
  Status may(const UserInfo& user, const Attributes& wanted, const std::shared_ptr<AuditContext>& audit) const;
  Status check_kept(const TokenBond& bond) const;
  void begin_audit(ApiRequest& request);
  // Both do nothing for a request without an account.
  void end_audit(const std::shared_ptr<AuditContext>& audit, KindId kind, const Result<ApiResponse>& result) const;
  void end_connection_audit(const ApiRequest& request, const Error* error) const;
  void reconcile_roles();
  // A request of the server itself; nobody but the log hears of what users' webhooks refuse of it.
  void write_own(ApiRequest request);

  struct Watch;
  Executor& executor_;
  Store& store_;
  const Schema& schema_;
  MetricRegistry& metrics_;
  Authorizer access_;
  Rng rng_;
  TimeText times_;
  ApiServerOptions options_;
  std::map<uint64_t, Watch*> open_watches_;  // in the order in which they began
  uint64_t watches_begun_ = 0;
  bool commit_scheduled_ = false;
  ScopedTimer event_timer_;
  std::unique_ptr<class Admission> admission_;
  std::unique_ptr<class MetricsApi> usage_;
  std::unique_ptr<class RequestMetrics> counts_;
  std::unique_ptr<FlowClassifier> flows_;
  std::unique_ptr<class FlowControlKeeper> flow_keeper_;
  std::unique_ptr<class CustomResources> custom_;
  std::unique_ptr<class ApiAggregator> aggregator_;
  std::unique_ptr<class GatePool> gates_;
  class AdmissionGate* gate_ = nullptr;  // of the request that is being handled; null: nobody asks about it
  std::shared_ptr<bool> alive_;
};

// The cluster's own components: members of system:masters.
UserInfo component_user(std::string name);

}  // namespace minik::control
