#include "control/scheduler/scheduler.h"

#include <algorithm>

#include "control/base/log.h"
#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

constexpr Duration kBackOffFirst = seconds(1);
constexpr Duration kBackOffLast = seconds(10);
constexpr Duration kUnschedulableFlush = minutes(5);
constexpr size_t kClassesMax = 1024;
constexpr int kBatch = 256;  // pods placed in one turn, so that a turn stays bounded

bool has_ended(const Value& pod) {
  const auto phase = pod[keys::kStatus][keys::kPhase].as_string();
  return phase == "Succeeded" || phase == "Failed";
}

std::string_view node_of(const Value& pod) { return pod[keys::kSpec][keys::kNodeName].as_string(); }

}  // namespace

struct Scheduler::Impl : std::enable_shared_from_this<Impl> {
  // Higher priority first, then the older one, then by name, so that the order is total.
  struct Turn {
    int64_t priority;
    uint64_t sequence;
    ObjectKey key;
    bool operator<(const Turn& other) const {
      if (priority != other.priority) return priority > other.priority;
      if (sequence != other.sequence) return sequence < other.sequence;
      return key < other.key;
    }
  };
  struct Waiting {
    Turn turn;
    int attempts = 0;
    enum class Where : uint8_t { kActive, kBackOff, kUnschedulable, kBinding } where = Where::kActive;
    std::string last_message;
  };

  Impl(Executor& e, Client& c, InformerSet& i, EventRecorder& r, MetricRegistry& m, Rng g, std::string n)
      : executor(e),
        client(c),
        informers(i),
        events(r),
        rng(g),
        name(std::move(n)),
        flush_timer(e),
        scheduled(m.counter("scheduler_schedule_attempts_total", "Attempts to schedule pods.",
                            {{"profile", name}, {"result", "scheduled"}})),
        unschedulable(m.counter("scheduler_schedule_attempts_total", "Attempts to schedule pods.",
                                {{"profile", name}, {"result", "unschedulable"}})) {}

  const ObjectCache& pods() const { return informers.find(kinds::kPods)->cache(); }

  bool is_mine(const Value& pod) const {
    return node_of(pod).empty() && !is_deleting(pod) && !has_ended(pod) &&
           pod[keys::kSpec][keys::kSchedulerName].as_string("default-scheduler") == name &&
           pod[keys::kSpec][keys::kSchedulingGates].empty();
  }

  // Where the table counts the pod: its node, or where it is assumed to go.
  std::string placed_on(const Value& pod) const {
    if (has_ended(pod)) return {};
    if (!node_of(pod).empty()) return std::string(node_of(pod));
    const auto found = assumed.find(object_uid(pod));
    return found == assumed.end() ? std::string() : found->second;
  }

  void on_pod(const Value& before, const Value& after) {
    const std::string old_place = before.has_value() ? placed_on(before) : std::string();
    if (after.has_value() && !node_of(after).empty()) assumed.erase(std::string(object_uid(after)));
    if (!after.has_value()) assumed.erase(std::string(object_uid(before)));
    const std::string new_place = after.has_value() ? placed_on(after) : std::string();
    if (old_place != new_place) {
      if (!old_place.empty()) table.remove_pod(before, old_place);
      if (!new_place.empty()) table.add_pod(after, new_place);
      if (!old_place.empty()) wake_unschedulable();
    }
    const ObjectKey key = key_of(after.has_value() ? after : before);
    if (after.has_value() && is_mine(after)) {
      enqueue(key, after);
    } else {
      forget(key);
    }
  }

  void on_node(const Value& before, const Value& after) {
    const uint64_t changes = table.log_end();
    if (after.has_value()) {
      table.put_node(after);
    } else {
      table.remove_node(object_name(before));
    }
    if (table.log_end() != changes && after.has_value()) wake_unschedulable();
  }

  void enqueue(const ObjectKey& key, const Value& pod) {
    const auto found = waiting.find(key);
    if (found != waiting.end()) return;
    Waiting entry;
    entry.turn = {pod[keys::kSpec][keys::kPriority].as_int(), next_sequence++, key};
    active.insert(entry.turn);
    waiting.emplace(key, std::move(entry));
    wake();
  }

  void forget(const ObjectKey& key) {
    const auto found = waiting.find(key);
    if (found == waiting.end()) return;
    active.erase(found->second.turn);
    waiting.erase(found);
  }

  void wake() {
    if (wake_scheduled || !started || active.empty()) return;
    wake_scheduled = true;
    executor.post([weak = weak_from_this()] {
      if (const auto self = weak.lock()) {
        self->wake_scheduled = false;
        self->work();
      }
    });
  }

  void work() {
    for (int i = 0; i < kBatch && !active.empty(); ++i) {
      const ObjectKey key = active.begin()->key;
      active.erase(active.begin());
      schedule(key);
    }
    wake();
  }

  Candidates& candidates_of(const Value& pod) {
    const uint64_t hash = pod_class_hash(pod);
    auto found = classes.find(hash);
    if (found != classes.end() && same_pod_class(found->second->pod_class(), pod)) return *found->second;
    if (classes.size() >= kClassesMax) classes.clear();
    return *(classes[hash] = std::make_unique<Candidates>(make_pod_class(pod), salt));
  }

  void schedule(const ObjectKey& key) {
    auto& entry = waiting.at(key);
    const Value& pod = pods().find(key.namespace_, key.name);
    if (!pod.has_value() || !is_mine(pod)) {
      waiting.erase(key);
      return;
    }
    ++entry.attempts;
    Candidates& candidates = candidates_of(pod);
    const auto& pod_class = candidates.pod_class();
    int node = -1;
    size_t crowded = 0;
    if (pod_class.refusal.empty()) {
      const auto domains = count_domains(pod_class);
      node = candidates.best(table, [&](int n) {
        if (spreads(pod_class, domains, n)) return true;
        ++crowded;
        return false;
      });
    }
    if (node < 0) {
      no_room(key, pod, candidates, crowded);
      return;
    }
    const std::string target = table.nodes()[static_cast<size_t>(node)].name;
    assumed[std::string(object_uid(pod))] = target;
    table.add_pod(pod, target);
    bind(key, pod, target);
  }

  // For each hard constraint: matching pods per topology value, over the nodes that carry the key.
  using Domains = std::vector<std::map<std::string, int64_t, std::less<>>>;
  Domains count_domains(const PodClass& pod_class) const {
    Domains domains;
    for (const auto& constraint : pod_class.spread) {
      auto& counts = domains.emplace_back();
      if (!constraint.hard) continue;
      for (const auto& node : table.nodes()) {
        if (node.used && node.labels[constraint.topology_key].is_string()) {
          counts.try_emplace(node.labels[constraint.topology_key].string(), 0);
        }
      }
      for (const auto& pod : pods().list(pod_class.namespace_)) {
        if (is_deleting(pod) || !constraint.selector.matches(pod[keys::kMetadata][keys::kLabels])) continue;
        const int index = table.find(placed_on(pod));
        if (index < 0) continue;
        const auto& value = table.nodes()[static_cast<size_t>(index)].labels[constraint.topology_key];
        if (const auto found = counts.find(value.as_string()); found != counts.end()) ++found->second;
      }
    }
    return domains;
  }

  bool spreads(const PodClass& pod_class, const Domains& domains, int node) const {
    for (size_t i = 0; i < pod_class.spread.size(); ++i) {
      const auto& constraint = pod_class.spread[i];
      if (!constraint.hard) continue;
      const auto& labels = table.nodes()[static_cast<size_t>(node)].labels;
      const auto mine = domains[i].find(labels[constraint.topology_key].as_string());
      if (mine == domains[i].end()) return false;
      int64_t least = mine->second;
      for (const auto& [value, count] : domains[i]) least = std::min(least, count);
      const bool counts_itself = constraint.selector.matches(pod_class.labels);
      if (mine->second + (counts_itself ? 1 : 0) - least > constraint.max_skew) return false;
    }
    return true;
  }

  void bind(const ObjectKey& key, const Value& pod, const std::string& target) {
    waiting.at(key).where = Waiting::Where::kBinding;
    ApiRequest request;
    request.verb = Verb::kCreate;
    request.kind = kinds::kPods;
    request.namespace_ = key.namespace_;
    request.name = key.name;
    request.subresource = "binding";
    request.body = Value::map(
        {{keys::kMetadata, Value::map({{keys::kName, key.name},
                                       {keys::kNamespace, key.namespace_},
                                       {keys::kUid, pod[keys::kMetadata][keys::kUid]}})},
         {keys::kTarget, Value::map({{keys::kApiVersion, "v1"}, {keys::kKind, "Node"}, {keys::kName, target}})}});
    client.send(std::move(request), [weak = weak_from_this(), key, pod, target](Result<ApiResponse> result) {
      if (const auto self = weak.lock()) self->on_bound(key, pod, target, result);
    });
  }

  void on_bound(const ObjectKey& key, const Value& pod, const std::string& target,
                const Result<ApiResponse>& result) {
    if (result) {
      scheduled.add();
      events.record({with_kind(pod), "Normal", "Scheduled",
                     cat("Successfully assigned ", key.text(), " to ", target)});
      return;
    }
    const auto found = assumed.find(object_uid(pod));
    if (found != assumed.end()) {
      assumed.erase(found);
      table.remove_pod(pod, target);
    }
    if (waiting.contains(key)) back_off(key);
  }

  static Value with_kind(const Value& pod) {
    return pod.with(keys::kKind, "Pod").with(keys::kApiVersion, "v1");
  }

  void back_off(const ObjectKey& key) {
    auto& entry = waiting.at(key);
    entry.where = Waiting::Where::kBackOff;
    const int doublings = std::min(entry.attempts - 1, 4);
    const Duration delay = std::min(kBackOffFirst * (1 << std::max(0, doublings)), kBackOffLast);
    executor.after(delay, [weak = weak_from_this(), key] {
      if (const auto self = weak.lock()) self->activate(key, Waiting::Where::kBackOff);
    });
  }

  void activate(const ObjectKey& key, Waiting::Where from) {
    const auto found = waiting.find(key);
    if (found == waiting.end() || found->second.where != from) return;
    found->second.where = Waiting::Where::kActive;
    active.insert(found->second.turn);
    wake();
  }

  // Something changed that may make room: those that wait for it go through their back-off.
  void wake_unschedulable() {
    for (const auto& key : std::exchange(unschedulable_keys, {})) {
      const auto found = waiting.find(key);
      if (found != waiting.end() && found->second.where == Waiting::Where::kUnschedulable) back_off(key);
    }
  }

  void arm_flush() {
    flush_timer.arm(kUnschedulableFlush, [this] {
      wake_unschedulable();
      arm_flush();
    });
  }

  void no_room(const ObjectKey& key, const Value& pod, const Candidates& candidates, size_t crowded) {
    unschedulable.add();
    auto& entry = waiting.at(key);
    entry.where = Waiting::Where::kUnschedulable;
    unschedulable_keys.insert(key);
    std::string message;
    if (!candidates.pod_class().refusal.empty()) {
      message = candidates.pod_class().refusal;
    } else if (table.count() == 0) {
      message = "no nodes available to schedule pods";
    } else {
      std::vector<std::string> parts;
      for (const auto& [reason, count] : candidates.reasons(table)) parts.push_back(cat(count, " ", reason));
      if (crowded > 0) {
        parts.push_back(cat(crowded, " node(s) didn't match pod topology spread constraints"));
      }
      std::ranges::sort(parts);
      message = cat("0/", table.count(), " nodes are available: ", join(parts, ", "), ".");
    }
    if (entry.last_message != message || entry.attempts == 1) {
      events.record({with_kind(pod), "Warning", "FailedScheduling", message});
      mark_unschedulable(key, pod, message);
      entry.last_message = message;
    }
  }

  void mark_unschedulable(const ObjectKey& key, const Value& pod, const std::string& message) {
    ApiRequest request;
    request.verb = Verb::kPatch;
    request.kind = kinds::kPods;
    request.namespace_ = key.namespace_;
    request.name = key.name;
    request.subresource = "status";
    request.patch_type = PatchType::kStrategicMerge;
    const Value condition =
        Value::map({{keys::kType, "PodScheduled"},
                    {keys::kStatus, "False"},
                    {keys::kReason, "Unschedulable"},
                    {keys::kMessage, message},
                    {keys::kLastProbeTime, nullptr},
                    {keys::kLastTransitionTime, format_time(executor.wall_now())}});
    request.body = Value::map({{keys::kMetadata, Value::map({{keys::kUid, pod[keys::kMetadata][keys::kUid]}})},
                               {keys::kStatus, Value::map({{keys::kConditions, Value::array({condition})}})}});
    client.send(std::move(request), [](const Result<ApiResponse>&) {});
  }

  Executor& executor;
  Client& client;
  InformerSet& informers;
  EventRecorder& events;
  Rng rng;
  std::string name;
  uint64_t salt = rng.next();
  NodeTable table;
  std::map<std::string, std::string, std::less<>> assumed;  // pod uid to node, until the cache shows it
  std::set<Turn> active;
  std::map<ObjectKey, Waiting> waiting;
  std::set<ObjectKey> unschedulable_keys;
  std::map<uint64_t, std::unique_ptr<Candidates>> classes;
  ScopedTimer flush_timer;
  Counter& scheduled;
  Counter& unschedulable;
  uint64_t next_sequence = 0;
  bool started = false;
  bool wake_scheduled = false;
};

Scheduler::Scheduler(Executor& executor, Client& client, InformerSet& informers,
                     EventRecorder& events, MetricRegistry& metrics, Rng rng, std::string name)
    : impl_(std::make_shared<Impl>(executor, client, informers, events, metrics, rng, std::move(name))) {
  const std::weak_ptr<Impl> weak = impl_;
  informers.of(kinds::kNodes).subscribe([weak](const Value& before, const Value& after) {
    if (const auto impl = weak.lock()) impl->on_node(before, after);
  });
  informers.of(kinds::kPods).subscribe([weak](const Value& before, const Value& after) {
    if (const auto impl = weak.lock()) impl->on_pod(before, after);
  });
}

Scheduler::~Scheduler() = default;

void Scheduler::start() {
  impl_->informers.when_synced([weak = std::weak_ptr(impl_)] {
    if (const auto impl = weak.lock()) {
      impl->started = true;
      impl->arm_flush();
      impl->wake();
    }
  });
}

size_t Scheduler::pending() const { return impl_->waiting.size(); }

}  // namespace minik::control
