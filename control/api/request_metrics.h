// What the API server counts of its requests, under kube-apiserver's names: how many, how long, how many at
// once, how many watches and what they told, how much is stored.
//
// Labels come from the schema and from what a request may be, so their number is bounded; a series begins
// when its first request ends. Looking a series up is a walk over the few that one kind has. Owned by the
// ApiServer; control thread only.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "control/base/executor.h"
#include "control/base/metrics.h"
#include "control/client/request.h"
#include "control/schema/schema.h"
#include "control/store/store.h"

namespace minik::control {

class RequestMetrics {
 public:
  RequestMetrics(const Executor& executor, MetricRegistry& registry, const Schema& schema, const Store& store);
  ~RequestMetrics();
  RequestMetrics(const RequestMetrics&) = delete;
  RequestMetrics& operator=(const RequestMetrics&) = delete;

  // Requests that differ in nothing but their outcome.
  struct Group;
  // A request on its way, to be carried to where its answer goes out.
  struct Running {
    Group* group = nullptr;
    Instant began;
  };
  Running begin(const ApiRequest& request);
  void end(const Running& running, const Result<ApiResponse>& result);

  void watch_opened(KindId kind) { of(kind).watches->add(1); }
  void watch_closed(KindId kind) { of(kind).watches->add(-1); }
  void watch_told(KindId kind) { of(kind).told->add(); }
  // A commit that took so long to become durable.
  void committed(Duration took) { commits_.observe(took); }

 private:
  struct PerKind {
    std::vector<std::unique_ptr<Group>> groups;
    Counter* told = nullptr;
    Gauge* watches = nullptr;
  };
  PerKind& of(KindId kind);
  void make_series(PerKind& counted, const ResourceInfo& resource);
  std::unique_ptr<Group> make_group(const ApiRequest& request, const ResourceInfo& resource);
  void collect();
  void count_objects(std::string_view group, std::string_view plural, size_t count);

  const Executor& executor_;
  MetricRegistry& registry_;
  const Schema& schema_;
  const Store& store_;
  std::vector<PerKind> kinds_;  // by the kind's number
  Gauge &reading_, &changing_;
  Histogram& commits_;
  Gauge &objects_, &revision_, &watches_;
  std::set<std::pair<std::string, std::string>> custom_;  // group and plural of what has a gauge
  MetricRegistry::Collector collector_;
};

}  // namespace minik::control
