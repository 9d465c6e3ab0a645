// ApiAggregator: API servers beside this one. An APIService with spec.service says that a version of a group is
// served by that Service's pods.
//
//   stored APIService --> Service, port, ready endpoints? --> GET /apis/GROUP/VERSION --> condition Available
//                                                         --> what it serves, its OpenAPI --> publish()
//
// Level-triggered: judged again after each change of the APIService, its Service or EndpointSlices, and by the clock
// (what is well every 30 s, what fails ever more rarely). Reasons of the condition are Kubernetes': ServiceNotFound,
// ServicePortError, EndpointsNotFound, MissingEndpoints, FailedDiscoveryCheck, Passed. Whoever routes requests
// reads what is published; carrying them is minik/net's (extension_servers.h).
//
// Part of an ApiServer, on its thread. Groups that are built in stay local, but for metrics.k8s.io, whose usual
// server may be put in the place of ours.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/api/proxy_target.h"
#include "control/base/executor.h"
#include "control/base/result.h"
#include "control/object/value.h"
#include "control/store/store.h"

namespace minik::control {

class ApiServer;

// One APIService that leads elsewhere. Plain data; documents are shared and immutable.
struct RemoteApi {
  std::string name;  // "v1.far.example.com"
  std::string group, version;
  std::string namespace_, service;
  int64_t port = 443;
  std::string ca_bundle;        // PEM; empty: the system's authorities
  bool skip_tls_verify = false;
  bool available = false;
  Value resources;   // its APIResourceList, as it was last; absent until it was read
  bool fresh = false;  // whether the last attempt to read them went well
  Value openapi_v2, openapi_v3;  // absent where it has none

  // Whom its certificate must name.
  std::string server_name() const { return service + "." + namespace_ + ".svc"; }
};
using RemoteApis = std::vector<RemoteApi>;  // by name

// How the API server talks to such a server, and where it says what there is: an edge of the process.
class ExtensionServers {
 public:
  enum class Trust : uint8_t { kVerified, kAnybody };
  struct Fetch {
    std::vector<ProxyTarget::Endpoint> endpoints;
    std::string path;
    Trust trust = Trust::kVerified;
    Duration timeout = seconds(5);
  };
  struct Answer {
    int status = 0;
    std::string body;
  };

  virtual ~ExtensionServers() = default;
  // GET as system:kube-aggregator, a member of system:masters. `done` runs later on the control thread, exactly once
  // unless this edge is destroyed first.
  virtual void fetch(const RemoteApi& api, Fetch fetch, std::function<void(Result<Answer>)> done) = 0;
  // Any thread may read it from now on.
  virtual void publish(std::shared_ptr<const RemoteApis> apis) = 0;
};

class ApiAggregator {
 public:
  // Without an edge nothing can be asked, and nothing is ever available.
  ApiAggregator(ApiServer& server, Executor& executor, Store& store, ExtensionServers* edge);
  ~ApiAggregator();
  ApiAggregator(const ApiAggregator&) = delete;
  ApiAggregator& operator=(const ApiAggregator&) = delete;

  static bool is_remote(const Value& api_service);

 private:
  struct Entry;
  struct Verdict;

  void follow(KindId kind, std::function<void(const StoreEvent&)> on_event);
  void service_changed(std::string_view namespace_, std::string_view service);
  void schedule();
  void sync();
  void judge(Entry& entry);
  bool is_offered(const RemoteApi& api) const;
  void probe(const std::string& name);
  void probed(const std::string& name, uint64_t turn, const Result<ExtensionServers::Answer>& answer);
  void read_documents(const std::string& name);
  using Keep = std::function<void(RemoteApi&, Value)>;
  void read_document(const std::string& name, const std::string& path, Keep keep);
  std::optional<Verdict> fault_in_cluster(const RemoteApi& api) const;
  void conclude(Entry& entry, const Verdict& verdict);
  void publish();
  Entry* find(const std::string& name);

  ApiServer& server_;
  Executor& executor_;
  Store& store_;
  ExtensionServers* const edge_;
  std::map<std::string, std::unique_ptr<Entry>> entries_;
  std::vector<StoreWatchId> watches_;
  bool follows_services_ = false;
  bool scheduled_ = false;
  std::shared_ptr<bool> alive_;
};

}  // namespace minik::control
