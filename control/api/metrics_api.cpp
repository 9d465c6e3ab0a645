#include "control/api/metrics_api.h"

#include <map>
#include <set>

#include "control/api/errors.h"
#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/selector.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

constexpr Duration kPatience = seconds(5);

Value usage_value(const Usage& usage) {
  return Value::map({{"cpu", cat(usage.nano_cores, "n")}, {"memory", cat(usage.memory_bytes / 1024, "Ki")}});
}

// Of the object that is measured: its name and labels, and when.
MapBuilder measured(const Value& object, const NodeUsage& usage) {
  const Value& metadata = object[keys::kMetadata];
  MapBuilder result;
  result.set(keys::kMetadata, Value::map({{keys::kName, metadata[keys::kName]},
                                          {keys::kNamespace, metadata[keys::kNamespace]},
                                          {keys::kLabels, metadata[keys::kLabels]},
                                          {keys::kCreationTimestamp, format_time(usage.at)}}));
  result.set(keys::kTimestamp, format_time(usage.at));
  result.set(keys::kWindow, format_duration(Duration{usage.window.ns / 1'000'000 * 1'000'000}));
  return result;
}

Value node_metrics(const Value& node, const NodeUsage& usage) {
  MapBuilder result = measured(node, usage);
  result.set(keys::kUsage, usage_value(usage.node));
  return std::move(result).build();
}

Value pod_metrics(const Value& pod, const NodeUsage& usage) {
  for (const auto& measured_pod : usage.pods) {
    if (measured_pod.name != object_name(pod) || measured_pod.namespace_ != object_namespace(pod)) continue;
    std::vector<Value> containers;
    for (const auto& container : measured_pod.containers) {
      containers.push_back(Value::map({{keys::kName, container.name}, {keys::kUsage, usage_value(container.usage)}}));
    }
    MapBuilder result = measured(pod, usage);
    result.set(keys::kContainers, Value::array(std::move(containers)));
    return std::move(result).build();
  }
  return {};
}

bool is_about_nodes(KindId kind) { return kind == kinds::kMetricsNodes; }

std::string node_of(KindId kind, const Value& object) {
  return is_about_nodes(kind) ? std::string(object_name(object)) : object[keys::kSpec][keys::kNodeName].string();
}

}  // namespace

struct MetricsApi::Question {
  ApiRequest request;
  ResponseCallback done;
  std::vector<Value> objects;
  std::map<std::string, NodeUsage> answers;
  size_t open = 0;
  TimerId timer;
};

MetricsApi::MetricsApi(Executor& executor, const Store& store, const Schema& schema)
    : executor_(executor), store_(store), schema_(schema) {}

MetricsApi::~MetricsApi() { *alive_ = false; }

bool MetricsApi::serves(KindId kind) { return kind == kinds::kMetricsNodes || kind == kinds::kMetricsPods; }

Result<std::vector<Value>> MetricsApi::objects_asked_for(const ApiRequest& request) const {
  const KindId measured_kind = is_about_nodes(request.kind) ? kinds::kNodes : kinds::kPods;
  if (request.verb == Verb::kGet) {
    const Value& object = store_.find(measured_kind, request.namespace_, request.name);
    if (object.is_absent()) return not_found(schema_.resource(request.kind), request.name);
    return std::vector<Value>{object};
  }
  MINIK_ASSIGN(const auto labels, LabelSelector::parse(request.options.label_selector));
  MINIK_ASSIGN(const auto fields, FieldSelector::parse(request.options.field_selector));
  std::vector<Value> objects;
  for (const auto list = store_.list(measured_kind, request.namespace_); const auto& object : list->objects) {
    if (labels.matches(object[keys::kMetadata][keys::kLabels]) && fields.matches(object)) objects.push_back(object);
  }
  return objects;
}

void MetricsApi::handle(const ApiRequest& request, ResponseCallback done) {
  if (request.verb != Verb::kGet && request.verb != Verb::kList) {
    done(Error(ErrorCode::kMethodNotAllowed, "metrics are measured, not written: get and list them"));
    return;
  }
  if (!source_) {
    done(Error(ErrorCode::kServiceUnavailable, "nobody measures anything yet"));
    return;
  }
  auto objects = objects_asked_for(request);
  if (!objects) {
    done(objects.error());
    return;
  }
  auto question = std::make_shared<Question>();
  question->request = request;
  question->done = std::move(done);
  question->objects = *std::move(objects);
  std::set<std::string> nodes;
  for (const auto& object : question->objects) {
    const std::string node = node_of(request.kind, object);
    if (!node.empty()) nodes.insert(node);
  }
  question->open = nodes.size();
  if (nodes.empty()) {
    finish(*question);
    return;
  }
  question->timer = executor_.after(kPatience, [this, alive = alive_, question] {
    if (*alive && question->done) finish(*question);
  });
  for (const auto& node : nodes) {
    source_(node, [this, alive = alive_, question, node](Result<NodeUsage> usage) {
      if (!*alive || !question->done) return;
      if (usage) question->answers[node] = *std::move(usage);
      if (--question->open > 0) return;
      executor_.cancel(question->timer);
      finish(*question);
    });
  }
}

void MetricsApi::finish(Question& question) const {
  const ResponseCallback done = std::exchange(question.done, nullptr);
  const KindId kind = question.request.kind;
  const auto& resource = schema_.resource(kind);
  std::vector<Value> items;
  for (const auto& object : question.objects) {
    const auto usage = question.answers.find(node_of(kind, object));
    if (usage == question.answers.end()) continue;
    Value item = is_about_nodes(kind) ? node_metrics(object, usage->second) : pod_metrics(object, usage->second);
    if (item.has_value()) items.push_back(std::move(item));
  }
  if (question.request.verb == Verb::kGet) {
    if (items.empty()) {
      done(not_found(resource, question.request.name));
      return;
    }
    done(ApiResponse{items[0], false, false, {}});
    return;
  }
  done(ApiResponse{Value::map({{keys::kKind, cat(resource.kind, "List")},
                               {keys::kApiVersion, resource.api_version},
                               {keys::kMetadata, Value::empty_map()},
                               {keys::kItems, Value::array(std::move(items))}}),
                   false, false, {}});
}

}  // namespace minik::control
