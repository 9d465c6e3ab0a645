// What may not change once an object is there, by kind.
#include <algorithm>

#include "control/base/text.h"
#include "control/object/json.h"
#include "control/object/keys.h"
#include "control/object/quantity.h"
#include "control/schema/kinds.h"
#include "control/schema/validation.h"

namespace minik::control {

namespace {

constexpr std::string_view kImmutable = "field is immutable";

void check_same(const Value& object, const Value& old, std::string_view field, FieldErrors& errors,
                std::string_view detail = kImmutable) {
  const Value *now = &object, *before = &old;
  for (const auto name : split(field, '.')) {
    now = &now->get(name);
    before = &before->get(name);
  }
  if (!(*now == *before)) errors.invalid(FieldPath(field), *now, detail);
}

// ---- Pod ----

constexpr std::string_view kPodChangeRefused =
    "pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only "
    "additions to "
    "existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was "
    "previously negative)";

Value with_images_of(const Value& containers, const Value& old) {
  if (!containers.is_array() || containers.size() != old.size()) return containers;
  std::vector<Value> items(containers.items().begin(), containers.items().end());
  for (size_t i = 0; i < items.size(); ++i) {
    items[i] = items[i].with(keys::kImage, old.items()[i][keys::kImage]);
  }
  return Value::array(std::move(items));
}

bool only_adds(const Value& tolerations, const Value& old) {
  return std::ranges::all_of(old.items(), [&](const Value& toleration) {
    return std::ranges::find(tolerations.items(), toleration) != tolerations.items().end();
  });
}

// The paths in which two documents differ, for a reader who wonders what was refused.
void list_differences(const Value& now, const Value& before, const std::string& at,
                      std::vector<std::string>& out) {
  constexpr size_t kDifferencesMax = 10;
  if (now == before || out.size() == kDifferencesMax) return;
  if (now.is_map() && before.is_map()) {
    const auto inner = [&](std::string_view key) {
      return at.empty() ? std::string(key) : cat(at, ".", key);
    };
    for (const auto& [key, value] : now.entries()) {
      list_differences(value, before[key], inner(key.text()), out);
    }
    for (const auto& [key, value] : before.entries()) {
      if (now[key].is_absent()) list_differences(Value(), value, inner(key.text()), out);
    }
    return;
  }
  if (now.is_array() && before.is_array() && now.size() == before.size()) {
    for (size_t i = 0; i < now.size(); ++i) {
      list_differences(now.items()[i], before.items()[i], cat(at, "[", i, "]"), out);
    }
    return;
  }
  const auto printed = [](const Value& value) {
    return value.has_value() ? to_json(value) : std::string("(unset)");
  };
  out.push_back(cat("  ", at, ": ", printed(before), " -> ", printed(now)));
}

void check_pod(const Value& object, const Value& old, FieldErrors& errors) {
  const Value& spec = object[keys::kSpec];
  const Value& before = old[keys::kSpec];
  if (spec == before) return;
  const FieldPath at("spec");
  for (const auto& key : {keys::kContainers, keys::kInitContainers}) {
    if (spec[key].size() != before[key].size()) {
      errors.forbidden(at.field(key.text()), "pod updates may not add or remove containers");
      return;
    }
  }
  const Value& deadline = spec[keys::kActiveDeadlineSeconds];
  const Value& old_deadline = before[keys::kActiveDeadlineSeconds];
  if (!deadline.has_value() && old_deadline.has_value()) {
    errors.invalid(at.field("activeDeadlineSeconds"), Value(nullptr),
                   "must not update from a positive integer to nil value");
  } else if (old_deadline.has_value() && deadline.as_int() > old_deadline.as_int()) {
    errors.invalid(at.field("activeDeadlineSeconds"), deadline,
                   cat("must be less than or equal to previous value"));
  }
  if (!only_adds(spec[keys::kTolerations], before[keys::kTolerations])) {
    errors.forbidden(at.field("tolerations"),
                     "existing toleration can not be modified except its tolerationSeconds");
  }
  MapBuilder munged(spec);
  for (const auto& key : {keys::kContainers, keys::kInitContainers}) {
    if (spec[key].is_array()) munged.set(key, with_images_of(spec[key], before[key]));
  }
  munged.set(keys::kActiveDeadlineSeconds, old_deadline);
  munged.set(keys::kTolerations, before[keys::kTolerations]);
  if (before[keys::kTerminationGracePeriodSeconds].as_int() < 0 &&
      spec[keys::kTerminationGracePeriodSeconds].as_int() == 1) {
    munged.set(keys::kTerminationGracePeriodSeconds, before[keys::kTerminationGracePeriodSeconds]);
  }
  // Gates may go, and while there is one a pod may be narrowed to fewer nodes.
  if (before[keys::kSchedulingGates].size() > spec[keys::kSchedulingGates].size()) {
    munged.set(keys::kSchedulingGates, before[keys::kSchedulingGates]);
  }
  const Value rest = std::move(munged).build();
  if (rest == before) return;
  std::vector<std::string> differences;
  list_differences(rest, before, "", differences);
  errors.forbidden(at, cat(kPodChangeRefused, "\n", join(differences, "\n"), "\n"));
}

// ---- Services and configuration ----

void check_service(const Value& object, const Value& old, FieldErrors& errors) {
  const Value& now = object[keys::kSpec];
  const Value& before = old[keys::kSpec];
  if (before[keys::kType].as_string() == "ExternalName" ||
      now[keys::kType].as_string() == "ExternalName") {
    return;
  }
  const Value& ip = before[keys::kClusterIP];
  if (ip.as_string().empty() || now[keys::kClusterIP] == ip) return;
  const FieldPath ips("spec.clusterIPs");
  const Value& shown = now[keys::kClusterIPs];
  if (now[keys::kClusterIP].as_string().empty()) {
    errors.invalid(ips.index(0), shown.has_value() ? shown : Value::empty_array(),
                   "primary clusterIP can not be unset");
  } else {
    errors.invalid(ips.index(0), shown.has_value() ? shown : Value::array({now[keys::kClusterIP]}),
                   "may not change once set");
  }
}

void check_frozen(const Value& object, const Value& old,
                  std::initializer_list<std::string_view> data, FieldErrors& errors) {
  if (!old[keys::kImmutable].as_bool()) return;
  constexpr std::string_view kDetail = "field is immutable when `immutable` is set";
  if (!object[keys::kImmutable].as_bool()) errors.forbidden(FieldPath("immutable"), kDetail);
  for (const auto field : data) {
    if (!(object.get(field) == old.get(field))) errors.forbidden(FieldPath(field), kDetail);
  }
}

void check_config_map(const Value& object, const Value& old, FieldErrors& errors) {
  check_frozen(object, old, {"data", "binaryData"}, errors);
}

void check_secret(const Value& object, const Value& old, FieldErrors& errors) {
  check_same(object, old, "type", errors);
  check_frozen(object, old, {"data"}, errors);
}

// ---- Workloads ----

void check_workload(const Value& object, const Value& old, FieldErrors& errors) {
  check_same(object, old, "spec.selector", errors);
}

void check_stateful_set(const Value& object, const Value& old, FieldErrors& errors) {
  const auto fixed = [](const Value& spec) {
    MapBuilder rest(spec);
    for (const auto& key : {keys::kReplicas, keys::kOrdinals, keys::kTemplate,
                            keys::kUpdateStrategy, keys::kRevisionHistoryLimit,
                            keys::kPersistentVolumeClaimRetentionPolicy, keys::kMinReadySeconds}) {
      rest.erase(key);
    }
    return std::move(rest).build();
  };
  if (fixed(object[keys::kSpec]) == fixed(old[keys::kSpec])) return;
  errors.forbidden(FieldPath("spec"),
                   "updates to statefulset spec for fields other than 'replicas', 'ordinals', "
                   "'template', 'updateStrategy', 'revisionHistoryLimit', "
                   "'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden");
}

// `old` with what decides where pods of the template go, and what is noted on them, as `now` has it. Of its affinity that
// is the nodes' alone.
Value with_directives_of(const Value& old, const Value& now) {
  MapBuilder metadata(old[keys::kMetadata]), spec(old[keys::kSpec]);
  for (const auto& key : {keys::kLabels, keys::kAnnotations}) metadata.set(key, now[keys::kMetadata][key]);
  for (const auto& key : {keys::kNodeSelector, keys::kTolerations, keys::kSchedulingGates}) spec.set(key, now[keys::kSpec][key]);
  const Value& wanted = now[keys::kSpec][keys::kAffinity];
  const Value affinity = old[keys::kSpec][keys::kAffinity].with(keys::kNodeAffinity, wanted[keys::kNodeAffinity]);
  spec.set(keys::kAffinity, affinity.empty() && !wanted.has_value() ? Value() : affinity);
  MapBuilder merged(old);
  merged.set(keys::kMetadata, std::move(metadata).build());
  merged.set(keys::kSpec, std::move(spec).build());
  return std::move(merged).build();
}

void check_job(const Value& object, const Value& old, FieldErrors& errors) {
  for (const auto* field : {"spec.selector", "spec.completionMode", "spec.podFailurePolicy",
                            "spec.backoffLimitPerIndex", "spec.managedBy", "spec.successPolicy"}) {
    check_same(object, old, field, errors);
  }
  // A suspended job that never started may still be told where to run.
  const bool unstarted = old.at({keys::kSpec, keys::kSuspend}).as_bool() &&
                         !old.at({keys::kStatus, keys::kStartTime}).has_value();
  const Value& now = object[keys::kSpec][keys::kTemplate];
  const Value& before = old[keys::kSpec][keys::kTemplate];
  if (!(now == before) && !(unstarted && now == with_directives_of(before, now)))
    errors.invalid(FieldPath("spec.template"), now, kImmutable);
  const bool indexed = object.at({keys::kSpec, keys::kCompletionMode}).as_string() == "Indexed";
  if (!indexed) check_same(object, old, "spec.completions", errors);
}

void check_claim(const Value& object, const Value& old, FieldErrors& errors) {
  const auto fixed = [](const Value& spec) {
    return spec.without(keys::kResources)
        .without(keys::kVolumeName)
        .without(keys::kVolumeAttributesClassName);
  };
  const Value& spec = object[keys::kSpec];
  Value before = old[keys::kSpec];
  // A default class may come after a claim that named none.
  if (!before[keys::kStorageClassName].has_value()) {
    before = before.with(keys::kStorageClassName, spec[keys::kStorageClassName]);
  }
  const bool rebound = !before[keys::kVolumeName].as_string().empty() &&
                       !(spec[keys::kVolumeName] == before[keys::kVolumeName]);
  if (rebound || !(fixed(spec) == fixed(before))) {
    errors.forbidden(FieldPath("spec"),
                     "spec is immutable after creation except resources.requests and "
                     "volumeAttributesClassName for bound claims");
    return;
  }
  const Value& size = spec.at({keys::kResources, keys::kRequests}).get("storage");
  const Value& old_size = before.at({keys::kResources, keys::kRequests}).get("storage");
  if (Quantity::of_value(size) < Quantity::of_value(old_size)) {
    errors.forbidden(FieldPath("spec.resources.requests.storage"),
                     "field can not be less than status.capacity");
  }
}

void check_binding(const Value& object, const Value& old, FieldErrors& errors) {
  check_same(object, old, "roleRef", errors, "cannot change roleRef");
}

void check_storage_class(const Value& object, const Value& old, FieldErrors& errors) {
  for (const auto* field : {"parameters", "provisioner", "reclaimPolicy"}) {
    if (!(object.get(field) == old.get(field))) {
      errors.forbidden(FieldPath(field), cat("updates to ", field, " are forbidden."));
    }
  }
  check_same(object, old, "volumeBindingMode", errors);
}

void check_priority_class(const Value& object, const Value& old, FieldErrors& errors) {
  if (!(object[keys::kValue] == old[keys::kValue])) {
    errors.forbidden(FieldPath("value"), "may not be changed in an update.");
  }
  check_same(object, old, "preemptionPolicy", errors);
}

void check_endpoint_slice(const Value& object, const Value& old, FieldErrors& errors) {
  check_same(object, old, "addressType", errors);
}

void check_ingress_class(const Value& object, const Value& old, FieldErrors& errors) {
  check_same(object, old, "spec.controller", errors);
}

// ---- Volumes, networks and what else is decided once ----

void check_volume(const Value& object, const Value& old, FieldErrors& errors) {
  // Everything in the spec that is none of these says where the storage is.
  const auto source = [](const Value& spec) {
    MapBuilder rest(spec);
    for (const auto* field : {"accessModes", "capacity", "claimRef", "mountOptions", "nodeAffinity",
                              "persistentVolumeReclaimPolicy", "storageClassName", "volumeAttributesClassName",
                              "volumeMode"}) {
      rest.erase(Key(field));
    }
    return std::move(rest).build();
  };
  if (!(source(object[keys::kSpec]) == source(old[keys::kSpec]))) {
    errors.forbidden(FieldPath("spec.persistentvolumesource"),
                     "spec.persistentvolumesource is immutable after creation");
  }
  check_same(object, old, "spec.volumeMode", errors);
}

void check_quota(const Value& object, const Value& old, FieldErrors& errors) {
  check_same(object, old, "spec.scopes", errors);
}

void check_attributes_class(const Value& object, const Value& old, FieldErrors& errors) {
  for (const auto* field : {"driverName", "parameters"}) {
    if (!(object.get(field) == old.get(field))) {
      errors.forbidden(FieldPath(field), cat("updates to ", field, " are forbidden."));
    }
  }
}

// Of a driver that stays on the node only the number of volumes may change.
void check_storage_node(const Value& object, const Value& old, FieldErrors& errors) {
  for (const auto& before : old[keys::kSpec]["drivers"].items()) {
    for (const auto& driver : object[keys::kSpec]["drivers"].items()) {
      if (driver[keys::kName] != before[keys::kName]) continue;
      if (driver.without("allocatable") != before.without("allocatable"))
        errors.invalid(FieldPath("spec.drivers"), driver.without("allocatable"), kImmutable);
    }
  }
}

struct DecidedOnce {
  KindId kind;
  std::string_view field;
};
constexpr DecidedOnce kDecidedOnce[] = {
    {kinds::kRuntimeclasses, "handler"},          {kinds::kControllerrevisions, "data"},
    {kinds::kVolumeattachments, "spec"},          {kinds::kIpaddresses, "spec.parentRef"},
    {kinds::kServicecidrs, "spec.cidrs"},         {kinds::kCsistoragecapacities, "storageClassName"},
    {kinds::kCsistoragecapacities, "nodeTopology"}, {kinds::kCsidrivers, "spec.attachRequired"},
    {kinds::kCsidrivers, "spec.volumeLifecycleModes"},
};

// What is leaving may not be held anew.
void check_finalizers(const Value& metadata, const Value& old, FieldErrors& errors) {
  if (!old[keys::kDeletionTimestamp].has_value() || metadata[keys::kFinalizers] == old[keys::kFinalizers]) return;
  const auto known = old[keys::kFinalizers].items();
  std::vector<std::string> added;
  for (const auto& finalizer : metadata[keys::kFinalizers].items()) {
    if (std::ranges::find(known, finalizer) == known.end()) added.push_back(quoted(finalizer.as_string()));
  }
  if (added.empty()) return;
  errors.forbidden(FieldPath("metadata.finalizers"),
                   cat("no new finalizers can be added if the object is being deleted, found new finalizers []string{",
                       join(added, ", "), "}"));
}

// What a node was given by its network and by its cloud it keeps.
void check_node(const Value& object, const Value& old, FieldErrors& errors) {
  const FieldPath at("spec");
  const Value &now = object[keys::kSpec], &before = old[keys::kSpec];
  // The first of the ranges is written twice; an old object may have but one of the two.
  const auto range_changes = [&](std::string_view field) { return !before.get(field).empty() && now.get(field) != before.get(field); };
  const bool first_changes = !before.get("podCIDR").as_string().empty() && now.get("podCIDR") != before.get("podCIDR");
  if (first_changes || range_changes("podCIDRs"))
    errors.forbidden(at.field("podCIDRs"), "node updates may not change podCIDR except from \"\" to valid");
  if (!before.get("providerID").as_string().empty() && now.get("providerID") != before.get("providerID"))
    errors.forbidden(at.field("providerID"), "node updates may not change providerID except from \"\" to valid");
}

struct ChangeRule {
  KindId kind;
  void (*check)(const Value& object, const Value& old, FieldErrors& errors);
};

constexpr ChangeRule kChangeRules[] = {
    {kinds::kNodes, check_node},
    {kinds::kPods, check_pod},
    {kinds::kServices, check_service},
    {kinds::kConfigmaps, check_config_map},
    {kinds::kSecrets, check_secret},
    {kinds::kDeployments, check_workload},
    {kinds::kReplicasets, check_workload},
    {kinds::kDaemonsets, check_workload},
    {kinds::kStatefulsets, check_stateful_set},
    {kinds::kJobs, check_job},
    {kinds::kPersistentvolumeclaims, check_claim},
    {kinds::kRolebindings, check_binding},
    {kinds::kClusterrolebindings, check_binding},
    {kinds::kStorageclasses, check_storage_class},
    {kinds::kPriorityclasses, check_priority_class},
    {kinds::kEndpointslices, check_endpoint_slice},
    {kinds::kIngressclasses, check_ingress_class},
    {kinds::kPersistentvolumes, check_volume},
    {kinds::kResourcequotas, check_quota},
    {kinds::kVolumeattributesclasses, check_attributes_class},
    {kinds::kCsinodes, check_storage_node},
};

}  // namespace

FieldErrors check_change(const ResourceInfo& resource, const Value& object, const Value& old) {
  FieldErrors errors;
  check_finalizers(object[keys::kMetadata], old[keys::kMetadata], errors);
  for (const auto& [kind, field] : kDecidedOnce) {
    if (kind == resource.id) check_same(object, old, field, errors);
  }
  const auto rule = std::ranges::find(kChangeRules, resource.id, &ChangeRule::kind);
  if (rule != std::end(kChangeRules)) rule->check(object, old, errors);
  return errors;
}

}  // namespace minik::control
