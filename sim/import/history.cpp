#include "sim/import/history.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/object/json.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"
#include "control/schema/schema.h"
#include "sim/import/manifests.h"
#include "sim/import/times.h"
#include "sim/scenario/manifest_fields.h"

namespace minik::sim {

namespace keys = control::keys;
using control::Value;

namespace {

// As long as a line may be: audit logs hold whole objects, which the API bounds to 3 MiB.
constexpr size_t kLineMax = 16 << 20;

bool is_component(std::string_view user) {
  return user.starts_with("system:") && !(user.starts_with("system:serviceaccount:") &&
                                          !user.starts_with("system:serviceaccount:kube-system:"));
}

struct Write {
  std::string verb, kind, namespace_, name, subresource;
  const control::ResourceInfo* resource = nullptr;
  Value object;  // what was sent, if the log has it
  bool creates = false;
  bool whole = false;  // `object` is one as it is to be, not what shall change of it

  std::string title() const { return cat(kind, " ", namespace_, namespace_.empty() ? "" : "/", name); }
  Value target() const {
    return Value::map({{"kind", kind}, {"namespace", namespace_.empty() ? Value() : Value(namespace_)}, {"name", name}});
  }
};

const control::ResourceInfo* find_plural(std::string_view group, std::string_view plural) {
  for (const auto& resource : control::Schema::builtin().resources()) {
    if (resource.group == group && resource.plural == plural) return &resource;
  }
  return nullptr;
}

Value action(std::string_view name, Value body) { return Value::map({{control::Key(name), std::move(body)}}); }

Value on_nodes(std::string_view name, std::vector<std::string> machines) {
  std::vector<Value> names(machines.begin(), machines.end());
  return action(name, Value::map({{"names", Value::array(std::move(names))}}));
}

Value scale(const Write& write, const Value& replicas) { return action("scale", write.target().with("replicas", replicas)); }

// A write to a node: what people do to nodes is to cordon them.
std::optional<Value> node_write(const Write& write, const std::map<std::string, std::string>& machine_of, Notes& notes) {
  const auto machine = machine_of.find(write.name);
  const Value& unschedulable = write.object[keys::kSpec][keys::kUnschedulable];
  if (machine == machine_of.end() || write.verb == "delete") {
    notes.add("machines are not added or removed", write.name);
    return std::nullopt;
  }
  if (write.verb == "patch" && !unschedulable.is_absent()) {
    return on_nodes(unschedulable.as_bool() ? "cordon" : "uncordon", {machine->second});
  }
  notes.add("changes of a node's labels and taints are not carried over", write.name);
  return std::nullopt;
}

std::optional<Value> patch(const Write& write, Notes& notes) {
  const auto change = patch_of(write.kind, write.title(), write.object, notes);
  if (!change) return std::nullopt;
  if (change->is_array()) return action("patch", write.target().with("type", "json").with("patch", *change));
  if (const auto complaint = complaint_about_patch(*write.resource, *change)) {
    notes.add(cat("patches that Kubernetes 1.35 does not know are left out (", complaint->what, ")"), write.title());
    return std::nullopt;
  }
  const Value& spec = (*change)[keys::kSpec];
  if (change->size() == 1 && spec.size() == 1 && spec[keys::kReplicas].is_int()) return scale(write, spec[keys::kReplicas]);
  return action("patch", write.target().with("patch", *change));
}

std::optional<Value> apply(const Write& write, Notes& notes) {
  Value object = write.object;
  if (!object[keys::kKind].has_value()) {
    object = object.with(keys::kApiVersion, write.resource->api_version).with(keys::kKind, write.kind);
  }
  if (write.resource->namespaced && !write.namespace_.empty()) {
    object = object.with_at({keys::kMetadata, keys::kNamespace}, write.namespace_);
  }
  if (!write.name.empty()) object = object.with_at({keys::kMetadata, keys::kName}, write.name);
  const auto manifest = manifest_of(object, notes);
  return manifest ? std::optional(action("apply", *manifest)) : std::nullopt;
}

bool has_stable_name(const Write& write) {
  const std::string& kind = write.kind;
  return kind != "Pod" && kind != "ReplicaSet" && kind != "EndpointSlice" && kind != "Event" && kind != "Lease";
}

std::optional<Value> action_of(const Write& write, const std::map<std::string, std::string>& machine_of, Notes& notes) {
  if (write.kind == "Node") return node_write(write, machine_of, notes);
  if (!has_stable_name(write)) {
    if (write.kind == "Pod" && (write.verb == "delete" || write.subresource == "eviction")) {
      notes.add("single pods that were deleted or evicted are left out: simulated ones have other names", write.title());
    }
    return std::nullopt;
  }
  if (write.verb == "delete") return action("delete", write.target());
  if (write.verb == "deletecollection") {
    notes.add("deletions of whole collections are not carried over", write.title());
    return std::nullopt;
  }
  if (!write.object.has_value()) {
    notes.add("the audit log does not say what was written (a policy of level Request does)", write.title());
    return std::nullopt;
  }
  if (write.subresource == "scale" && write.object[keys::kSpec][keys::kReplicas].is_int()) {
    return scale(write, write.object[keys::kSpec][keys::kReplicas]);
  }
  if (!write.subresource.empty()) return std::nullopt;
  return write.whole ? apply(write, notes) : patch(write, notes);
}

// Patches are changes, except those of server-side apply, which name their object and their writer. kubectl's other
// commands call themselves kubectl-edit, kubectl-client-side-apply and so on.
bool sends_whole_objects(std::string_view verb, std::string_view uri, const Value& object) {
  if (verb != "patch") return true;
  return object[keys::kApiVersion].is_string() && object[keys::kKind].is_string() && object[keys::kMetadata][keys::kName].is_string() &&
         uri.find("fieldManager=kubectl-") == std::string_view::npos;
}

// Nothing for what is no successful write of a user.
std::optional<Write> write_of(const Value& event, Notes& notes) {
  const std::string verb = event.get("verb").string();
  if (verb != "create" && verb != "update" && verb != "patch" && verb != "delete" && verb != "deletecollection") return std::nullopt;
  const auto& stage = event.get("stage");
  const int64_t code = event.get("responseStatus").get("code").as_int(200);
  const auto& user = event.get("user").get("username");
  if ((stage.is_string() && stage.as_string() != "ResponseComplete") || code >= 300 || is_component(user.as_string())) {
    return std::nullopt;
  }
  const auto& requested = event.get("requestURI");
  if (requested.as_string().find("dryRun=All") != std::string_view::npos) return std::nullopt;
  const Value& reference = event.get("objectRef");
  Write write;
  write.verb = verb;
  write.namespace_ = reference[keys::kNamespace].string();
  write.name = reference[keys::kName].string();
  write.subresource = reference.get("subresource").string();
  write.object = event.get("requestObject");
  write.creates = verb == "create" || code == 201;
  write.whole = sends_whole_objects(verb, requested.as_string(), write.object);
  if (write.name.empty()) write.name = write.object[keys::kMetadata][keys::kName].string();
  const auto& group = reference.get("apiGroup");
  const auto& plural = reference.get("resource");
  write.resource = find_plural(group.as_string(), plural.as_string());
  if (!write.resource || !write.resource->has_verb("create")) {
    if (write.resource || plural.as_string().empty()) return std::nullopt;
    notes.add(cat("no simulated cluster has ", plural.as_string(), ".", group.as_string()), write.name);
    return std::nullopt;
  }
  // Reviews and the like are asked, not made.
  if (!write.resource->has_verb("get")) return std::nullopt;
  write.kind = std::string(write.resource->kind);
  if (write.name.empty() && verb != "deletecollection") {
    notes.add("objects with drawn names are not carried over", write.title());
    return std::nullopt;
  }
  return write;
}

void add_audit_event(const Value& event, const std::map<std::string, std::string>& machine_of, Notes& notes,
                     std::vector<PastAction>& into) {
  const auto at = time_of(event.get("requestReceivedTimestamp"));
  const auto write = write_of(event, notes);
  if (!write) return;
  if (!at) return notes.add("writes without requestReceivedTimestamp are left out", write->title());
  auto done = action_of(*write, machine_of, notes);
  if (done) into.push_back({*at, *std::move(done), write->title(), write->creates});
}

}  // namespace

Result<std::vector<PastAction>> user_writes(std::string_view audit_log, std::string_view name,
                                            const std::map<std::string, std::string>& machine_of, Notes& notes) {
  std::vector<PastAction> actions;
  int number = 0;
  for (const auto line : split(audit_log, '\n')) {
    ++number;
    if (trim(line).empty()) continue;
    if (line.size() > kLineMax) return Error(ErrorCode::kBadRequest, cat(name, ":", number, ": the line is too long"));
    const auto event = control::parse_json(trim(line));
    if (!event || !event->is_map()) {
      return Error(ErrorCode::kBadRequest, cat(name, ":", number, ": an audit log has an Event of audit.k8s.io/v1 as JSON in "
                                               "each line; this is none", event ? "" : cat(" (", event.error().message, ")")));
    }
    const Value& items = (*event)[keys::kItems];
    for (const auto& item : items.items()) add_audit_event(item, machine_of, notes, actions);
    if (!items.is_array()) add_audit_event(*event, machine_of, notes, actions);
  }
  std::ranges::stable_sort(actions, {}, &PastAction::at);
  return actions;
}

std::optional<WallTime> time_of_event(const Value& event) {
  for (const auto& field : {event[keys::kSeries][keys::kLastObservedTime], event[keys::kLastTimestamp], event[keys::kEventTime],
                            event[keys::kFirstTimestamp], event[keys::kMetadata][keys::kCreationTimestamp]}) {
    if (const auto time = time_of(field)) return time;
  }
  return std::nullopt;
}

std::vector<PastAction> node_losses(const std::vector<Value>& events, const std::vector<Value>& nodes,
                                    const std::map<std::string, std::string>& machine_of, Duration grace, Notes& notes) {
  struct News {
    WallTime at;
    std::string reason, machine;
  };
  std::vector<News> news;
  for (const auto& event : events) {
    // events.k8s.io calls it `regarding`.
    const Value& object = event[keys::kInvolvedObject].has_value() ? event[keys::kInvolvedObject] : event[keys::kRegarding];
    const std::string reason = event[keys::kReason].string();
    if (object[keys::kKind].as_string() != "Node" || (reason != "NodeNotReady" && reason != "NodeReady" && reason != "Rebooted")) continue;
    const auto at = time_of_event(event);
    const auto machine = machine_of.find(object[keys::kName].string());
    if (machine == machine_of.end()) {
      notes.add("nodes that were lost and are no longer among the objects are left out", object[keys::kName].as_string());
    } else if (at) {
      news.push_back({*at, reason, machine->second});
    }
  }
  // Events are forgotten after an hour and are not the last word: a node that is Ready has come back.
  for (const auto& node : nodes) {
    for (const auto& condition : node[keys::kStatus][keys::kConditions].items()) {
      if (condition[keys::kType].as_string() != "Ready" || condition[keys::kStatus].as_string() != "True") continue;
      const auto since = time_of(condition[keys::kLastTransitionTime]);
      const auto machine = machine_of.find(std::string(control::object_name(node)));
      if (since && machine != machine_of.end()) news.push_back({*since, "NodeReady", machine->second});
    }
  }
  std::ranges::stable_sort(news, {}, &News::at);
  std::set<std::string> rebooted, lost;
  for (const auto& item : news) {
    if (item.reason == "Rebooted") rebooted.insert(item.machine);
  }
  std::vector<PastAction> actions;
  for (const auto& [at, reason, machine] : news) {
    const bool reboots = rebooted.contains(machine);
    if (reason == "NodeNotReady" && lost.insert(machine).second) {
      // It was silent for the grace period before anybody called it lost.
      actions.push_back({at - grace, on_nodes(reboots ? "crashNodes" : "partitionNodes", {machine}), "", false});
    } else if (reason != "NodeNotReady" && lost.erase(machine) > 0) {
      actions.push_back({at, on_nodes(reboots ? "startNodes" : "healNodes", {machine}), "", false});
    }
  }
  std::ranges::stable_sort(actions, {}, &PastAction::at);
  return actions;
}

}  // namespace minik::sim
