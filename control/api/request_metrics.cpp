#include "control/api/request_metrics.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/schema/kind_registry.h"

namespace minik::control {

namespace {

std::string_view verb_label(const ApiRequest& request) {
  switch (request.verb) {
    case Verb::kGet: return "GET";
    case Verb::kList: return "LIST";
    case Verb::kWatch: return "WATCH";
    case Verb::kCreate: return "POST";
    case Verb::kUpdate: return "PUT";
    case Verb::kPatch: return request.patch_type == PatchType::kApply ? "APPLY" : "PATCH";
    case Verb::kDelete: return "DELETE";
    case Verb::kDeleteCollection: return "DELETECOLLECTION";
    case Verb::kConnect: return "CONNECT";
  }
  return "other";
}

bool changes(Verb verb) {
  return verb != Verb::kGet && verb != Verb::kList && verb != Verb::kWatch;
}

std::string_view scope_label(const ApiRequest& request) {
  if (!request.name.empty() || request.verb == Verb::kCreate) return "resource";
  return request.namespace_.empty() ? "cluster" : "namespace";
}

// kube-apiserver's, in milliseconds.
std::vector<Duration> request_bounds() {
  std::vector<Duration> bounds;
  for (const int64_t ms : {5, 25, 50, 100, 200, 400, 600, 800, 1000, 1250, 1500, 2000, 3000, 4000, 5000,
                           6000, 8000, 10000, 15000, 20000, 30000, 45000, 60000})
    bounds.push_back(milliseconds(ms));
  return bounds;
}

Gauge& inflight(MetricRegistry& registry, const char* kind) {
  return registry.gauge("apiserver_current_inflight_requests",
                        "Requests that wait for their answer, by whether they may change something.",
                        {{"request_kind", kind}});
}

}  // namespace

struct RequestMetrics::Group {
  Verb verb;
  PatchType patch_type;
  bool dry_run;
  std::string subresource;
  std::string_view scope;
  MetricLabels labels;  // of its histogram; a counter's have the code too
  Histogram* duration = nullptr;
  std::vector<std::pair<int, Counter*>> by_code;

  bool has(const ApiRequest& request) const {
    return verb == request.verb && patch_type == request.patch_type && dry_run == request.options.dry_run &&
           subresource == request.subresource && scope == scope_label(request);
  }
};

RequestMetrics::RequestMetrics(const Executor& executor, MetricRegistry& registry, const Schema& schema,
                               const Store& store)
    : executor_(executor),
      registry_(registry),
      schema_(schema),
      store_(store),
      reading_(inflight(registry, "readOnly")),
      changing_(inflight(registry, "mutating")),
      commits_(registry.histogram("minik_store_commit_duration_seconds",
                                  "Time until what was committed together was on the disk.")),
      objects_(registry.gauge("minik_store_objects", "Objects of all kinds.")),
      revision_(registry.gauge("minik_store_revision", "The newest durable resourceVersion.")),
      watches_(registry.gauge("minik_store_watches", "Open watches.")),
      collector_(registry.collect([this] { collect(); })) {}

RequestMetrics::~RequestMetrics() = default;

RequestMetrics::PerKind& RequestMetrics::of(KindId kind) {
  if (kind.value >= kinds_.size()) kinds_.resize(kind.value + size_t{1});
  auto& counted = kinds_[kind.value];
  if (!counted.told) make_series(counted, schema_.resource(kind));
  return counted;
}

void RequestMetrics::make_series(PerKind& counted, const ResourceInfo& resource) {
  const MetricLabels labels{{"group", std::string(resource.group)},
                            {"resource", std::string(resource.plural)},
                            {"version", std::string(resource.version)}};
  counted.told = &registry_.counter("apiserver_watch_events_total", "Events that watches were told.", labels);
  counted.watches = &registry_.gauge("apiserver_longrunning_requests", "Watches that are open.",
                                     {{"group", std::string(resource.group)},
                                      {"resource", std::string(resource.plural)},
                                      {"verb", "WATCH"},
                                      {"version", std::string(resource.version)}});
}

std::unique_ptr<RequestMetrics::Group> RequestMetrics::make_group(const ApiRequest& request,
                                                                  const ResourceInfo& resource) {
  // A subresource that does not exist is refused, and one label stands for all of those.
  const bool known = request.subresource.empty() || resource.subresource(request.subresource) != nullptr;
  auto group = std::make_unique<Group>();
  group->verb = request.verb;
  group->patch_type = request.patch_type;
  group->dry_run = request.options.dry_run;
  group->subresource = request.subresource;
  group->scope = scope_label(request);
  group->labels = {{"component", "apiserver"},
                   {"dry_run", request.options.dry_run ? "All" : ""},
                   {"group", std::string(resource.group)},
                   {"resource", std::string(resource.plural)},
                   {"scope", std::string(group->scope)},
                   {"subresource", known ? request.subresource : "other"},
                   {"verb", std::string(verb_label(request))},
                   {"version", std::string(resource.version)}};
  group->duration = &registry_.histogram("apiserver_request_duration_seconds",
                                         "Time from a request's arrival to its answer.", group->labels,
                                         request_bounds());
  return group;
}

RequestMetrics::Running RequestMetrics::begin(const ApiRequest& request) {
  auto& groups = of(request.kind).groups;
  auto found = std::ranges::find_if(groups, [&](const auto& group) { return group->has(request); });
  // Whoever invents subresources meets the kind's first unknown one again.
  constexpr size_t kGroupsMax = 64;
  if (found == groups.end() && groups.size() >= kGroupsMax) found = groups.begin();
  if (found == groups.end()) {
    groups.push_back(make_group(request, schema_.resource(request.kind)));
    found = std::prev(groups.end());
  }
  (changes(request.verb) ? changing_ : reading_).add(1);
  return {found->get(), executor_.now()};
}

void RequestMetrics::end(const Running& running, const Result<ApiResponse>& result) {
  Group& group = *running.group;
  (changes(group.verb) ? changing_ : reading_).add(-1);
  const int code = !result ? result.error().http_status() : result->created ? 201 : 200;
  auto counted = std::ranges::find(group.by_code, code, &std::pair<int, Counter*>::first);
  if (counted == group.by_code.end()) {
    MetricLabels labels = group.labels;
    labels.insert(labels.begin(), {"code", cat(code)});
    group.by_code.emplace_back(code, &registry_.counter("apiserver_request_total",
                                                        "Requests by what they were and how they ended.",
                                                        std::move(labels)));
    counted = std::prev(group.by_code.end());
  }
  counted->second->add();
  group.duration->observe(executor_.now() - running.began);
}

void RequestMetrics::count_objects(std::string_view group, std::string_view plural, size_t count) {
  registry_
      .gauge("apiserver_resource_objects", "Objects that are stored, by resource.",
             {{"group", std::string(group)}, {"resource", std::string(plural)}})
      .set(static_cast<int64_t>(count));
  registry_
      .gauge("apiserver_storage_objects", "Objects that are stored, under the name of earlier releases.",
             {{"resource", group.empty() ? std::string(plural) : cat(plural, ".", group)}})
      .set(static_cast<int64_t>(count));
}

void RequestMetrics::collect() {
  for (const auto& resource : schema_.resources()) {
    if (resource.type) count_objects(resource.group, resource.plural, store_.count(resource.id));
  }
  // A definition that is gone has no objects; its gauge stays and says so.
  for (const auto& [group, plural] : custom_) count_objects(group, plural, 0);
  if (const KindRegistry* registry = schema_.registry()) {
    for (const auto* resource : registry->stored()) {
      custom_.emplace(resource->group, resource->plural);
      count_objects(resource->group, resource->plural, store_.count(resource->id));
    }
  }
  objects_.set(static_cast<int64_t>(store_.count()));
  revision_.set(static_cast<int64_t>(store_.durable_revision().value));
  watches_.set(static_cast<int64_t>(store_.watch_count()));
}

}  // namespace minik::control
