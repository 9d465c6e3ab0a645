#include "control/kubelet/kubelet.h"

#include <algorithm>
#include <utility>

#include "control/base/log.h"
#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/quantity.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

constexpr Duration kRetry = seconds(1);
constexpr int kLeaseTriesMax = 5;  // a period, as the real agent's
constexpr int kStatusTriesMax = 5;  // likewise
constexpr std::string_view kLeaseNamespace = "kube-node-lease";
constexpr int64_t kLeaseSeconds = 40;
constexpr std::string_view kVersion = "v1.35.0";
constexpr size_t kImagesShownMax = 50;

Value bytes_text(int64_t bytes) {
  return bytes % 1024 == 0 ? cat(bytes / 1024, "Ki") : cat(bytes);
}

Value cpu_text(int64_t milli) { return Quantity::of_milli(milli).text(); }

// Resources that an agent measures itself. Others are what somebody has written into the status of the Node
// (extended resources), and stay.
bool is_measured(std::string_view resource) {
  return resource == "cpu" || resource == "memory" || resource == "pods" || resource == "ephemeral-storage" ||
         resource.starts_with("hugepages-");
}

bool same_amounts(const Value& a, const Value& b) {
  return a.size() == b.size() && std::ranges::all_of(a.entries(), [&](const MapEntry& entry) {
           const Value& other = b[entry.key];
           return other.has_value() && Quantity::of_value(entry.value) == Quantity::of_value(other);
         });
}

// The first moment of a beat that is yet to come.
Instant next_beat(Instant due, Duration period, Instant now) {
  return due > now ? due : due + period * ((now - due).ns / period.ns + 1);
}

const Value& condition_of(const Value& status, const Value& type) {
  for (const auto& c : status[keys::kConditions].items()) {
    if (c[keys::kType] == type) return c;
  }
  return Value::absent();
}

}  // namespace

Kubelet::Kubelet(KubeletConfig config, Executor& executor, Client& client, ContainerRuntime& runtime,
                 const ObjectCache* services, Rng rng)
    : config_(std::move(config)),
      executor_(executor),
      client_(client),
      runtime_(runtime),
      events_(executor, client, kinds::kEvents, "kubelet", config_.node_name, rng.fork("events")),
      context_{executor, client, runtime, events_, rng.fork("pods"), config_.node_name, config_.addresses,
               config_.cluster_domain, config_.dns_address, config_.host_dns_servers,
               config_.host_dns_searches, config_.memory_bytes, {}, {}, {}, nullptr},
      pods_(executor, client, rng.fork("informer"), kinds::kPods,
            {.namespace_ = {},
             .label_selector = {},
             .field_selector = cat("spec.nodeName=", config_.node_name),
             .bookmarks = false}),  // to list a node's pods again costs less than a bookmark a minute
      node_(executor, client, rng.fork("node"), kinds::kNodes,
            {.namespace_ = {},
             .label_selector = {},
             .field_selector = cat("metadata.name=", config_.node_name),
             .bookmarks = false}),
      pressure_(executor, runtime, config_.eviction, {config_.memory_bytes, config_.processes_max}, config_.read_machine,
                [this] { return workers(); }, pressure_listener()),
      usage_(executor, runtime, [this] { return running_containers(); }, config_.read_machine),
      lease_timer_(executor),
      status_timer_(executor),
      retry_timer_(executor),
      alive_(std::make_shared<bool>(true)) {
  context_.services = [services](std::string_view namespace_) {
    if (!services) return std::vector<Value>{};
    auto list = services->list(namespace_);
    const Value& api = services->find("default", "kubernetes");
    if (api.has_value() && namespace_ != "default") list.push_back(api);
    return list;
  };
  if (config_.metrics) {
    metrics_.emplace(*config_.metrics, config_.node_name, [this] { return running_now(); });
    context_.metrics = &*metrics_;
  }
  context_.worker_done = [this](const std::string& uid) { workers_.erase(uid); };
  context_.image_pulled = [this](const std::string& id) {
    pressure_.image_pulled(id);
    images_unsaid_ = true;
    wake();
  };
  context_.resize_refusal = [this](const Value& pod) { return resize_refusal(pod); };
}

Kubelet::~Kubelet() { *alive_ = false; }

PressureWatch::Workers Kubelet::workers() const {
  PressureWatch::Workers all;
  for (const auto& [uid, worker] : workers_) all.push_back(worker);
  return all;
}

void Kubelet::node_event(std::string type, std::string reason, std::string message) {
  const Value node = Value::map({{keys::kKind, "Node"}, {keys::kName, config_.node_name}, {keys::kUid, config_.node_name}});
  events_.record({node, std::move(type), std::move(reason), std::move(message)});
}

std::string_view Kubelet::condition_event(NodePressure pressure) const {
  const auto& words = words_of(pressure);
  return pressure_.pressures().contains(pressure) ? words.met_event : words.well_event;
}

void Kubelet::tell_condition(std::string_view reason) {
  node_event("Normal", std::string(reason), cat("Node ", config_.node_name, " status is now: ", reason));
}

// Against what others had made of the node (lost, as a rule), or an earlier life of the machine had said.
void Kubelet::tell_what_changed(const Value& before, const Value& status) {
  const auto changed = [&](const Value& type) {
    const auto &was = condition_of(before, type)[keys::kStatus], &is = condition_of(status, type)[keys::kStatus];
    return was.has_value() && !(was == is);
  };
  for (const auto pressure : kNodePressures) {
    if (condition_of(before, words_of(pressure).condition)[keys::kStatus].as_string() == "Unknown") tell_condition(condition_event(pressure));
  }
  if (changed("Ready")) tell_condition(runtime_error_.empty() ? "NodeReady" : "NodeNotReady");
  const auto was = before[keys::kNodeInfo][keys::kBootID].as_string(), is = status[keys::kNodeInfo][keys::kBootID].as_string();
  if (!was.empty() && was != is) node_event("Warning", "Rebooted", cat("Node ", config_.node_name, " has been rebooted, boot id: ", is));
}

PressureListener Kubelet::pressure_listener() {
  const auto changed = [this](NodePressure pressure) {
    tell_condition(condition_event(pressure));
    // At once: until others know, they send pods here that are turned away.
    wake();
    if (registered_) report_status();
  };
  const auto reclaims = [this](std::string_view resource) {
    node_event("Warning", "EvictionThresholdMet", cat("Attempting to reclaim ", resource));
  };
  return {changed, reclaims};
}

void Kubelet::start() {
  runtime_.on_event([this, alive = alive_](const RuntimeEvent& event) {
    if (!*alive) return;
    for (auto& [uid, worker] : workers_) {
      const auto& sandbox = worker->state().sandbox;
      if (sandbox && sandbox->id == event.sandbox_id) {
        const auto keep = worker;
        if (event.kind == RuntimeEvent::Kind::kProbesUnsettled) return keep->wake_probes();
        keep->on_container_event(event.container_id);
        return;
      }
    }
  });
  node_event("Normal", "Starting", "Starting kubelet.");
  register_node();
  if (config_.eviction.goes_on && config_.eviction.goes_on()) pressure_.look();
}

Value Kubelet::make_node() const {
  MapBuilder labels;
  labels.set("kubernetes.io/hostname", config_.node_name);
  labels.set("kubernetes.io/os", "linux");
  labels.set("kubernetes.io/arch", config_.node_info[keys::kArchitecture].as_string("amd64"));
  for (const auto& [name, value] : config_.labels) labels.set(name, value);
  return Value::map({{keys::kMetadata, Value::map({{keys::kName, config_.node_name},
                                                   {keys::kLabels, std::move(labels).build()}})},
                     {keys::kSpec, Value::map({{keys::kPodCIDR, config_.pod_cidr.empty() ? Value() : Value(config_.pod_cidr)},
                                               {keys::kPodCIDRs, config_.pod_cidr.empty()
                                                                     ? Value()
                                                                     : Value::array({Value(config_.pod_cidr)})},
                                               {keys::kTaints, config_.taints}})},
                     {keys::kStatus, make_node_status(Value())}});
}

Value Kubelet::make_conditions(const Value& old) const {
  const Value now = format_time(executor_.wall_now());
  std::vector<Value> conditions;
  const auto add = [&](std::string_view type, bool is_true, std::string_view reason, std::string message) {
    const std::string_view status = is_true ? "True" : "False";
    const Value& before = condition_of(old, type);
    const Value since = before[keys::kStatus].as_string() == status ? before[keys::kLastTransitionTime] : now;
    conditions.push_back(Value::map({{keys::kType, type},
                                     {keys::kStatus, status},
                                     {keys::kReason, reason},
                                     {keys::kMessage, std::move(message)},
                                     {keys::kLastHeartbeatTime, now},
                                     {keys::kLastTransitionTime, since}}));
  };
  for (const auto pressure : kNodePressures) {
    const auto& words = words_of(pressure);
    const bool met = pressure_.pressures().contains(pressure);
    add(words.condition, met, met ? words.met_reason : words.well_reason, std::string(met ? words.met_message : words.well_message));
  }
  if (runtime_error_.empty()) {
    add("Ready", true, "KubeletReady", "kubelet is posting ready status");
  } else {
    add("Ready", false, "KubeletNotReady", runtime_error_);
  }
  // Those of others, as a node problem detector's.
  const size_t own = conditions.size();
  for (const auto& c : old[keys::kConditions].items()) {
    const auto of_this_type = [&](const Value& mine) { return mine[keys::kType] == c[keys::kType]; };
    if (std::none_of(conditions.begin(), conditions.begin() + static_cast<ptrdiff_t>(own), of_this_type)) {
      conditions.push_back(c);
    }
  }
  return Value::array(std::move(conditions));
}

Value Kubelet::make_node_status(const Value& old) const {
  std::vector<Value> addresses;
  for (const auto& address : config_.addresses) {
    addresses.push_back(Value::map({{keys::kType, "InternalIP"}, {keys::kAddress, address}}));
  }
  addresses.push_back(Value::map({{keys::kType, "Hostname"}, {keys::kAddress, config_.node_name}}));
  Value capacity = Value::map({{keys::kCpu, cpu_text(config_.milli_cpu)},
                               {keys::kMemory, bytes_text(config_.memory_bytes)},
                               {keys::kPods, cat(config_.pods_max)},
                               {"ephemeral-storage", config_.ephemeral_bytes == 0
                                                         ? Value()
                                                         : bytes_text(config_.ephemeral_bytes)}});
  for (const auto& [resource, amount] : old[keys::kCapacity].entries()) {
    if (!is_measured(resource.text())) capacity = capacity.with(resource, amount);
  }
  // What eviction keeps free is not given to pods.
  Value allocatable = capacity;
  const auto keep_free = [&](EvictionSignal signal, const Key& resource, int64_t of) {
    const auto threshold = config_.eviction.thresholds.find(signal);
    if (threshold == config_.eviction.thresholds.end() || of == 0) return;
    allocatable = allocatable.with(resource, bytes_text(std::max<int64_t>(of - threshold->second.of(of), 0)));
  };
  keep_free(EvictionSignal::kMemoryAvailable, keys::kMemory, config_.memory_bytes);
  keep_free(EvictionSignal::kNodeFsAvailable, "ephemeral-storage", config_.ephemeral_bytes);
  MapBuilder info(config_.node_info);
  info.set(keys::kKubeletVersion, kVersion);
  info.set(keys::kKubeProxyVersion, "");
  info.set(keys::kContainerRuntimeVersion, runtime_.version());
  info.set(keys::kOperatingSystem, "linux");
  return Value::map({{keys::kCapacity, capacity},
                     {keys::kAllocatable, std::move(allocatable)},
                     {keys::kAddresses, Value::array(std::move(addresses))},
                     {keys::kConditions, make_conditions(old)},
                     {keys::kDaemonEndpoints, Value::map({{keys::kKubeletEndpoint, Value::map({{keys::kPort, 10250}})}})},
                     {keys::kImages, images_},
                     {keys::kNodeInfo, std::move(info).build()}});
}

void Kubelet::register_node() {
  // The runtime's answer decides whether the node is ready from its first moment.
  runtime_.status([this, alive = alive_](const Result<Unit>& status) {
    if (!*alive) return;
    runtime_error_ = status ? std::string() : cat("container runtime is down: ", status.error().message);
    context_.node_allocatable = make_node_status(Value())[keys::kAllocatable];
    ApiRequest request;
    request.verb = Verb::kCreate;
    request.kind = kinds::kNodes;
    request.body = make_node();
    client_.send(std::move(request), [this, alive](const Result<ApiResponse>& result) {
      if (!*alive) return;
      if (!result && result.error().code != ErrorCode::kAlreadyExists) {
        MINIK_LOG(kWarning, "kubelet", cat("cannot register node ", config_.node_name, ": ", result.error().message));
        retry_timer_.arm(kRetry, [this] { register_node(); });
        return;
      }
      if (registered_) return;
      registered_ = true;
      renewed_at_ = executor_.now();  // from now on it is expected to
      if (result) {
        report_within(config_.status_period);
      } else {
        report_status();  // registered in an earlier life: say that it is back
      }
      node_.subscribe([this](const Value&, const Value& node) { on_node(node); });
      node_.start();
      renew_lease();
      recover();
    });
  });
}

void Kubelet::renew_lease() {
  lease_due_ = executor_.now() + config_.lease_period;
  lease_timer_.arm(config_.lease_period, [this] { renew_lease(); });
  lease_tries_ = 0;
  write_lease();
}

void Kubelet::write_lease() {
  retry_timer_.cancel();
  ++lease_tries_;
  const Value now = format_micro_time(executor_.wall_now());
  ApiRequest request;
  request.kind = kinds::kLeases;
  request.namespace_ = kLeaseNamespace;
  const bool first = !lease_.has_value();
  request.verb = first ? Verb::kCreate : Verb::kUpdate;
  if (!first) request.name = config_.node_name;
  if (lease_[keys::kSpec].has_value()) {
    // Of the Lease that it has written last only the time changes: the server need not look at the rest.
    request.body = lease_.with(keys::kSpec, lease_[keys::kSpec].with(keys::kRenewTime, now));
    // It goes with its Node, once that is known.
    const Value& node = node_.cache().find({}, config_.node_name);
    if (node.has_value() && lease_[keys::kMetadata][keys::kOwnerReferences].empty()) {
      const Value owner = Value::map({{keys::kApiVersion, "v1"}, {keys::kKind, "Node"}, {keys::kName, config_.node_name},
                                      {keys::kUid, object_uid(node)}});
      request.body = request.body.with_at({keys::kMetadata, keys::kOwnerReferences}, Value::array({owner}));
    }
  } else {
    // One that an earlier life has left: without a version, whatever it says now.
    request.body = Value::map({{keys::kMetadata, Value::map({{keys::kName, config_.node_name},
                                                             {keys::kNamespace, kLeaseNamespace}})},
                               {keys::kSpec, Value::map({{keys::kHolderIdentity, config_.node_name},
                                                         {keys::kLeaseDurationSeconds, kLeaseSeconds},
                                                         {keys::kRenewTime, now}})}});
  }
  client_.send(std::move(request), [this, alive = alive_](const Result<ApiResponse>& result) {
    if (!*alive) return;
    if (result) {
      lease_ = result->object;
      // Whoever was silent for so long may count as lost, and is back with its first word and not its next status.
      const Instant renewed = std::exchange(renewed_at_, executor_.now());
      if (renewed.ns != 0 && renewed_at_ - renewed > seconds(kLeaseSeconds)) {
        report_status();
      } else {
        rest_if_allowed();
      }
    } else if (result.error().code == ErrorCode::kAlreadyExists || result.error().code == ErrorCode::kConflict) {
      lease_ = Value::empty_map();
      if (lease_tries_ < kLeaseTriesMax) write_lease();
    } else {
      if (result.error().code == ErrorCode::kNotFound) lease_ = Value();
      // A server that is overrun must hear of the node all the same.
      const Duration wait = seconds(result.error().retry_after_seconds);
      if (lease_tries_ < kLeaseTriesMax) retry_timer_.arm(wait, [this] { write_lease(); });
    }
  });
}

void Kubelet::rest_if_allowed() {
  // Not while there is something to say: what is due soon may be a correction.
  const bool quiet = registered_ && pressure_.pressures().empty() && !images_unsaid_ && status_timer_.armed() &&
                     status_due_ - executor_.now() > config_.correction_period;
  if (!quiet || !config_.may_rest || !config_.may_rest()) return;
  resting_ = true;
  lease_timer_.cancel();
  status_timer_.cancel();
}

void Kubelet::wake() {
  if (!resting_) return;
  renewed_at_ = rested_until_ = spoke_at();
  resting_ = false;
  const Instant now = executor_.now();
  lease_due_ = next_beat(lease_due_, config_.lease_period, now);
  lease_timer_.arm(lease_due_ - now, [this] { renew_lease(); });
  report_within(next_beat(status_due_, config_.status_period, now) - now);
}

Instant Kubelet::spoke_at() const {
  if (!resting_) return rested_until_;
  if (lease_due_ > executor_.now()) return renewed_at_;
  return next_beat(lease_due_, config_.lease_period, executor_.now()) - config_.lease_period;
}

// At the latest then.
void Kubelet::report_within(Duration delay) {
  const Instant due = executor_.now() + delay;
  if (status_timer_.armed() && status_due_ <= due) return;
  status_due_ = due;
  status_timer_.arm(delay, [this] { report_status(); });
}

void Kubelet::on_node(const Value& node) {
  if (const bool unschedulable = node[keys::kSpec][keys::kUnschedulable].as_bool(); node.has_value() && unschedulable != unschedulable_) {
    unschedulable_ = unschedulable;
    const std::string reason = unschedulable ? "NodeNotSchedulable" : "NodeSchedulable";
    node_event("Normal", reason, cat("Node ", config_.node_name, " status is now: ", reason));
  }
  if (!node.has_value() || is_as_said(node[keys::kStatus])) return;
  wake();
  report_within(config_.correction_period);
}

bool Kubelet::is_as_said(const Value& status) const {
  const Value wanted = make_node_status(status);
  return same_amounts(wanted[keys::kCapacity], status[keys::kCapacity]) &&
         same_amounts(wanted[keys::kAllocatable], status[keys::kAllocatable]) &&
         std::ranges::all_of(wanted[keys::kConditions].items(), [&](const Value& condition) {
           const Value& said = condition_of(status, condition[keys::kType]);
           return said[keys::kStatus] == condition[keys::kStatus] && said[keys::kReason] == condition[keys::kReason];
         });
}

void Kubelet::report_status() {
  status_timer_.cancel();
  report_within(config_.status_period);
  runtime_.list_images([this, alive = alive_](Result<std::vector<ImageStatus>> images) {
    if (!*alive) return;
    if (images) {
      images_unsaid_ = false;
      std::vector<Value> list;
      for (const auto& image : *images) {
        if (list.size() == kImagesShownMax) break;
        std::vector<Value> names;
        for (const auto& tag : image.tags) names.emplace_back(tag);
        list.push_back(Value::map({{keys::kNames, Value::array(std::move(names))}, {keys::kSizeBytes, image.size_bytes}}));
      }
      images_ = list.empty() ? Value() : Value::array(std::move(list));
    }
    write_node_status(kStatusTriesMax);
  });
}

// Over the version that was read and no other, which somebody may have written meanwhile: then once more.
void Kubelet::write_node_status(int tries) {
  ApiRequest get;
  get.verb = Verb::kGet;
  get.kind = kinds::kNodes;
  get.name = config_.node_name;
  client_.send(std::move(get), [this, alive = alive_, tries](const Result<ApiResponse>& node) {
    if (!*alive) return;
    if (!node) {
      // One that somebody has deleted stays away: an agent registers when it starts, and not again.
      if (node.error().code != ErrorCode::kNotFound) report_within(config_.correction_period);
      return;
    }
    ApiRequest request;
    request.verb = Verb::kUpdate;
    request.kind = kinds::kNodes;
    request.name = config_.node_name;
    request.subresource = "status";
    const Value before = node->object[keys::kStatus], status = make_node_status(before);
    request.body = node->object.with(keys::kStatus, status);
    client_.send(std::move(request), [this, alive, tries, before, status](const Result<ApiResponse>& result) {
      if (!*alive) return;
      if (result) return tell_what_changed(before, status);
      if (result.error().code == ErrorCode::kConflict && tries > 1) return write_node_status(tries - 1);
      report_within(config_.correction_period);
    });
  });
}

void Kubelet::on_reference(KindId kind, const Value& before, const Value& after) {
  for (const auto& [uid, worker] : workers_) worker->on_reference(kind, before, after);
}

std::vector<RunningContainer> Kubelet::running_containers() const {
  std::vector<RunningContainer> running;
  for (const auto& [uid, worker] : workers_) {
    const Value& pod = worker->pod();
    for (const auto& [name, record] : worker->state().containers) {
      if (!record.running()) continue;
      running.push_back({record.current->id, name, std::string(object_namespace(pod)), std::string(object_name(pod))});
    }
  }
  return running;
}

KubeletMetrics::Running Kubelet::running_now() const {
  KubeletMetrics::Running now;
  for (const auto& [uid, worker] : workers_) {
    const auto& sandbox = worker->state().sandbox;
    if (sandbox && sandbox->ready) ++now.pods;
  }
  now.containers = static_cast<int64_t>(running_containers().size());
  return now;
}

Result<ContainerLocation> Kubelet::locate(const Value& pod, const std::string& container, bool previous) const {
  const auto found = workers_.find(std::string(object_uid(pod)));
  const auto name = object_name(pod);
  if (found == workers_.end()) {
    return Error(ErrorCode::kNotFound, cat("pod ", quoted(name), " is not on node ", config_.node_name));
  }
  const PodState& state = found->second->state();
  std::string wanted = container;
  if (wanted.empty()) wanted = pod[keys::kSpec][keys::kContainers].items()[0][keys::kName].string();
  const auto record = state.containers.find(wanted);
  const bool known = std::ranges::any_of(
      std::initializer_list<Key>{keys::kContainers, keys::kInitContainers, keys::kEphemeralContainers},
      [&](const Key& list) {
        return std::ranges::any_of(pod[keys::kSpec][list].items(), [&](const Value& c) {
          return c[keys::kName].as_string() == wanted;
        });
      });
  if (!known) {
    return Error(ErrorCode::kBadRequest, cat("container ", wanted, " is not valid for pod ", name));
  }
  const ContainerStatus* status = nullptr;
  if (record != state.containers.end()) {
    const auto& r = record->second;
    if (previous) {
      // While it waits to be restarted, the one that has just ended is the previous one.
      status = r.exited() && !r.waiting_reason.empty() ? &*r.current : r.last ? &*r.last : nullptr;
    } else if (r.current) {
      status = &*r.current;
    }
  }
  if (!status) {
    if (previous) {
      return Error(ErrorCode::kBadRequest, cat("previous terminated container ", quoted(wanted), " in pod ",
                                               quoted(name), " not found"));
    }
    const std::string_view reason = why_not_started(record == state.containers.end() ? "" : record->second.waiting_reason);
    return Error(ErrorCode::kBadRequest, cat("container ", quoted(wanted), " in pod ", quoted(name),
                                             " is waiting to start: ", reason));
  }
  ContainerLocation location;
  location.container_id = status->id;
  location.sandbox_id = state.sandbox ? state.sandbox->id : std::string();
  location.log_path = cat(runtime_.pod_log_directory(std::string(object_namespace(pod)), std::string(name),
                                                     std::string(object_uid(pod))),
                          "/", wanted, "/", status->attempt, ".log");
  for (const auto& c : pod[keys::kSpec][keys::kContainers].items()) {
    if (c[keys::kName].as_string() == wanted) location.tty = c[keys::kTty].as_bool();
  }
  return location;
}

}  // namespace minik::control
