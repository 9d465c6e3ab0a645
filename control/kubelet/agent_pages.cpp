#include "control/kubelet/agent_pages.h"

#include "control/base/text.h"
#include "control/object/keys.h"

namespace minik::control {

namespace {

void add(MetricRegistry& page, std::string_view what, const MetricLabels& labels, const Usage& usage) {
  page.counter(cat(what, "_cpu_usage_seconds_total"), cat("CPU time that the ", what, " has used."), labels,
               MetricUnit::kSeconds)
      .add(static_cast<uint64_t>(usage.cpu_time.ns));
  page.gauge(cat(what, "_memory_working_set_bytes"), cat("Memory that the ", what, " cannot do without."), labels)
      .set(usage.memory_bytes);
}

Usage sum_of(const PodUsage& pod) {
  Usage sum;
  for (const auto& container : pod.containers) {
    sum.nano_cores += container.usage.nano_cores;
    sum.cpu_time = sum.cpu_time + container.usage.cpu_time;
    sum.memory_bytes += container.usage.memory_bytes;
  }
  return sum;
}

void add_usage(MapBuilder& into, const Value& at, const Usage& usage) {
  into.set("cpu", Value::map({{"time", at},
                              {"usageNanoCores", usage.nano_cores},
                              {"usageCoreNanoSeconds", usage.cpu_time.ns}}));
  into.set("memory", Value::map({{"time", at}, {"workingSetBytes", usage.memory_bytes}}));
}

}  // namespace

std::string resource_metrics_page(const NodeUsage& usage, MetricFormat format) {
  MetricRegistry page;
  add(page, "node", {}, usage.node);
  for (const auto& pod : usage.pods) {
    add(page, "pod", {{"namespace", pod.namespace_}, {"pod", pod.name}}, sum_of(pod));
    for (const auto& container : pod.containers) {
      add(page, "container",
          {{"container", container.name}, {"namespace", pod.namespace_}, {"pod", pod.name}}, container.usage);
    }
  }
  page.gauge("resource_scrape_error", "1 where something could not be measured.").set(0);
  return page.text(format);
}

Value stats_summary(const std::string& node_name, const NodeUsage& usage) {
  const Value at = format_time(usage.at);
  MapBuilder node;
  node.set("nodeName", node_name);
  add_usage(node, at, usage.node);
  std::vector<Value> pods;
  for (const auto& pod : usage.pods) {
    std::vector<Value> containers;
    for (const auto& container : pod.containers) {
      MapBuilder entry;
      entry.set("name", container.name);
      add_usage(entry, at, container.usage);
      containers.push_back(std::move(entry).build());
    }
    MapBuilder entry;
    entry.set("podRef", Value::map({{"name", pod.name}, {"namespace", pod.namespace_}}));
    entry.set("containers", Value::array(std::move(containers)));
    add_usage(entry, at, sum_of(pod));
    pods.push_back(std::move(entry).build());
  }
  return Value::map({{"node", std::move(node).build()}, {"pods", Value::array(std::move(pods))}});
}

}  // namespace minik::control
