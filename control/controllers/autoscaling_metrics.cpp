#include "control/controllers/autoscaling_metrics.h"

#include <algorithm>

#include "control/base/int128.h"
#include "control/base/text.h"
#include "control/controllers/pods.h"
#include "control/object/keys.h"
#include "control/object/pod_containers.h"
#include "control/object/object_ref.h"
#include "control/object/quantity.h"

namespace minik::control {

namespace {

// A CPU that has just started says little about the work to come.
constexpr Duration kCpuInitialization = minutes(5);
constexpr Duration kInitialReadiness = seconds(30);

struct Ratio {
  Int128 part = 0, whole = 1;

  bool grows() const { return part > whole; }
  bool shrinks() const { return part < whole; }
  bool within(const Tolerance& tolerance) const {
    return part * 1000 <= whole * (1000 + tolerance.up) && part * 1000 >= whole * (1000 - tolerance.down);
  }
  int64_t of(int64_t count) const { return static_cast<int64_t>((part * count + whole - 1) / whole); }
};

struct Wanted {
  std::string resource, container;  // container: of a ContainerResource metric
  const Value& target;

  bool is_utilization() const { return target[keys::kType].as_string() == "Utilization"; }
};

int64_t milli_of(const Value& quantity) { return Quantity::of_value(quantity).milli(); }

std::optional<int64_t> usage_of(const Wanted& wanted, const Value& metrics) {
  std::optional<int64_t> sum;
  for (const auto& container : metrics[keys::kContainers].items()) {
    if (!wanted.container.empty() && container[keys::kName].as_string() != wanted.container) continue;
    const Value& amount = container[keys::kUsage].get(wanted.resource);
    if (amount.has_value()) sum = sum.value_or(0) + milli_of(amount);
  }
  return sum;
}

// Of all that runs as long as the pod does: its containers and its sidecars.
Result<int64_t> request_of(const Wanted& wanted, const Value& pod) {
  const Value& spec = pod[keys::kSpec];
  const auto request_in = [&](const Value& resources) -> const Value& {
    return resources[keys::kRequests].get(wanted.resource);
  };
  // What a pod asks for as a whole stands for them all.
  if (const Value& whole = request_in(spec[keys::kResources]); wanted.container.empty() && whole.has_value()) {
    return milli_of(whole);
  }
  std::vector<Value> containers;
  for_each_lasting_container(spec, [&containers](const Value& container) { containers.push_back(container); });
  int64_t sum = 0;
  for (const auto& container : containers) {
    const auto name = container[keys::kName].as_string();
    if (!wanted.container.empty() && name != wanted.container) continue;
    const Value& amount = request_in(container[keys::kResources]);
    if (!amount.has_value()) {
      return Error(ErrorCode::kInvalid, cat("missing request for ", wanted.resource, " in container ", name, " of Pod ",
                                            object_name(pod)));
    }
    sum += milli_of(amount);
  }
  return sum;
}

// Whether a pod's CPU usage is no measure of it yet.
bool is_unready(const Value& pod, const Value& metrics, WallTime now) {
  const Value& ready = condition(pod, "Ready");
  const auto start = time_of(pod[keys::kStatus][keys::kStartTime]);
  const auto since = time_of(ready[keys::kLastTransitionTime]);
  if (!ready.has_value() || !start || !since) return true;
  const bool is_ready = ready[keys::kStatus].as_string() == "True";
  if (now < *start + kCpuInitialization) {
    const auto measured = time_of(metrics[keys::kTimestamp]);
    const auto window = parse_duration(metrics[keys::kWindow].as_string()).value_or(Duration{});
    return !is_ready || (measured && *measured < *since + window);
  }
  return !is_ready && *since < *start + kInitialReadiness;
}

struct Groups {
  std::map<std::string, int64_t> usage;  // of the pods that are a measure, by name
  std::map<std::string, Value> missing, unready;
};

Groups group_pods(const Wanted& wanted, const PodsAndUsage& known) {
  Groups groups;
  for (const auto& pod : known.pods) {
    const std::string name(object_name(pod));
    const auto phase = pod[keys::kStatus][keys::kPhase].as_string();
    if (is_deleting(pod) || phase == "Failed" || phase == "Succeeded") continue;
    const auto metrics = known.metrics.find(name);
    const auto usage = metrics == known.metrics.end() ? std::nullopt : usage_of(wanted, metrics->second);
    if (phase == "Pending") {
      groups.unready.emplace(name, pod);
    } else if (!usage) {
      groups.missing.emplace(name, pod);
    } else if (wanted.resource == "cpu" && is_unready(pod, metrics->second, known.now)) {
      groups.unready.emplace(name, pod);
    } else {
      groups.usage.emplace(name, *usage);
    }
  }
  return groups;
}

// What the usage is compared with: the requests of these pods, or so much for each of them.
class Yardstick {
 public:
  Yardstick(const Wanted& wanted, const PodsAndUsage& known) : wanted_(wanted) {
    for (const auto& pod : known.pods) pods_.emplace(std::string(object_name(pod)), pod);
  }

  Status read_requests() {
    if (!wanted_.is_utilization()) return {};
    for (const auto& [name, pod] : pods_) {
      MINIK_ASSIGN(requests_[name], request_of(wanted_, pod));
    }
    return {};
  }

  int64_t request(const std::string& pod) const { return requests_.at(pod); }

  Ratio ratio(const std::map<std::string, int64_t>& usage) const {
    Int128 used = 0, requested = 0;
    for (const auto& [name, amount] : usage) {
      used += amount;
      if (wanted_.is_utilization()) requested += request(name);
    }
    if (usage.empty()) return {};
    if (!wanted_.is_utilization()) {
      const Int128 average = used / static_cast<Int128>(usage.size());
      return {average, std::max<Int128>(1, milli_of(wanted_.target[keys::kAverageValue]))};
    }
    // In whole percent, as the status shows it.
    const Int128 percent = requested == 0 ? 0 : used * 100 / requested;
    return {percent, std::max<Int128>(1, wanted_.target[keys::kAverageUtilization].as_int())};
  }

 private:
  const Wanted& wanted_;
  std::map<std::string, Value> pods_;
  std::map<std::string, int64_t> requests_;
};

int64_t replicas_for(const Wanted& wanted, Groups groups, const Yardstick& yardstick, int64_t current,
                     const Tolerance& tolerance) {
  const Ratio ratio = yardstick.ratio(groups.usage);
  const bool unready_matter = !groups.unready.empty() && ratio.grows();
  if (!unready_matter && groups.missing.empty()) {
    return ratio.within(tolerance) ? current : ratio.of(static_cast<int64_t>(groups.usage.size()));
  }
  for (const auto& [name, pod] : groups.missing) {
    if (ratio.shrinks()) {
      const int64_t percent = std::max<int64_t>(100, wanted.target[keys::kAverageUtilization].as_int());
      groups.usage[name] = wanted.is_utilization() ? yardstick.request(name) * percent / 100
                                                   : milli_of(wanted.target[keys::kAverageValue]);
    } else if (ratio.grows()) {
      groups.usage[name] = 0;
    }
  }
  if (unready_matter) {
    for (const auto& [name, pod] : groups.unready) groups.usage[name] = 0;
  }
  const Ratio whole = yardstick.ratio(groups.usage);
  if (whole.within(tolerance) || ratio.shrinks() != whole.shrinks()) return current;
  const int64_t replicas = whole.of(static_cast<int64_t>(groups.usage.size()));
  const bool backwards = whole.shrinks() ? replicas > current : replicas < current;
  return backwards ? current : replicas;
}

Value current_metric(const Value& metric, const Wanted& wanted, const Groups& groups, const Yardstick& yardstick) {
  Int128 used = 0;
  for (const auto& [name, amount] : groups.usage) used += amount;
  const auto average = static_cast<int64_t>(used / static_cast<Int128>(groups.usage.size()));
  MapBuilder current;
  if (wanted.is_utilization()) {
    current.set(keys::kAverageUtilization, static_cast<int64_t>(yardstick.ratio(groups.usage).part));
  }
  // Memory in whole bytes.
  const bool whole = average % 1000 == 0;
  current.set(keys::kAverageValue, (whole ? Quantity::of(average / 1000) : Quantity::of_milli(average)).text());
  const Key source = wanted.container.empty() ? keys::kResource : keys::kContainerResource;
  MapBuilder entry;
  entry.set(keys::kName, wanted.resource);
  if (!wanted.container.empty()) entry.set(keys::kContainer, wanted.container);
  entry.set(keys::kCurrent, std::move(current).build());
  return Value::map({{keys::kType, metric[keys::kType]}, {source, std::move(entry).build()}});
}

}  // namespace

Result<MetricProposal> propose(const Value& metric, int64_t current_replicas, const PodsAndUsage& known,
                               const Tolerance& tolerance) {
  const auto type = metric[keys::kType].as_string();
  const bool of_container = type == "ContainerResource";
  if (type != "Resource" && !of_container) {
    return Error(ErrorCode::kNotFound,
                 cat("unable to get ", to_lower(type), " metric: no adapter serves custom.metrics.k8s.io or "
                     "external.metrics.k8s.io in this cluster"));
  }
  const Value& source = metric[of_container ? keys::kContainerResource : keys::kResource];
  const Wanted wanted{source[keys::kName].string(), source[keys::kContainer].string(), source[keys::kTarget]};
  const std::string what = cat("failed to get ", wanted.resource, wanted.is_utilization() ? " utilization: " : " usage: ");
  if (known.metrics.empty()) {
    return Error(ErrorCode::kNotFound, cat(what, "unable to get metrics for resource ", wanted.resource,
                                           ": no metrics returned from resource metrics API"));
  }
  Groups groups = group_pods(wanted, known);
  Yardstick yardstick(wanted, known);
  if (const Status read = yardstick.read_requests(); !read.ok()) {
    return Error(read.error().code, what + read.error().message);
  }
  if (groups.usage.empty()) {
    return Error(ErrorCode::kNotFound, what + "did not receive metrics for targeted pods (pods might be unready)");
  }
  MetricProposal proposal;
  proposal.current = current_metric(metric, wanted, groups, yardstick);
  proposal.name = cat(wanted.resource, of_container ? " container resource" : " resource",
                      wanted.is_utilization() ? " utilization (percentage of request)" : "");
  proposal.replicas = replicas_for(wanted, std::move(groups), yardstick, current_replicas, tolerance);
  return proposal;
}

}  // namespace minik::control
