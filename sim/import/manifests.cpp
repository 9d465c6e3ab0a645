#include "sim/import/manifests.h"

#include <algorithm>
#include <functional>

#include "control/base/text.h"
#include "control/object/json.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"
#include "control/object/yaml.h"
#include "control/schema/decode.h"

namespace minik::sim {

namespace keys = control::keys;
using control::Key;
using control::MapBuilder;
using control::Value;

namespace {

// Annotations that say what clients and controllers have done, by the beginnings of their names.
constexpr std::string_view kServerAnnotations[] = {
    "kubectl.kubernetes.io/last-applied-configuration", "deployment.kubernetes.io/", "pv.kubernetes.io/",
    "volume.kubernetes.io/", "volume.beta.kubernetes.io/", "endpoints.kubernetes.io/", "control-plane.alpha.kubernetes.io/",
    "kubernetes.io/config.", "deprecated.daemonset.template.generation"};

// Labels that tie a Job's pods to its uid, which will be another one.
constexpr std::string_view kJobLabels[] = {"controller-uid", "batch.kubernetes.io/controller-uid", "job-name",
                                           "batch.kubernetes.io/job-name"};

struct Kind {
  std::string_view name, why;
};
// Kinds that have a name here and no effect.
constexpr Kind kWithoutEffect[] = {
    {"CustomResourceDefinition", "custom resources and their controllers are not carried over"},
    {"APIService", "aggregated APIs are not carried over"},
    {"ValidatingWebhookConfiguration", "webhooks are not carried over: no program would answer them"},
    {"MutatingWebhookConfiguration", "webhooks are not carried over: no program would answer them"},
    {"CSIDriver", "storage drivers are not carried over"},
    {"CSINode", "storage drivers are not carried over"},
    {"VolumeAttachment", "storage drivers are not carried over"},
    {"PersistentVolume", "volumes are provisioned anew"},
};
constexpr std::string_view kMadeByItself[] = {"Node", "Event", "Lease", "Endpoints", "EndpointSlice", "ControllerRevision",
                                              "PodMetrics", "NodeMetrics", "CertificateSigningRequest", "FlowSchema",
                                              "PriorityLevelConfiguration", "ComponentStatus", "CSIStorageCapacity"};

constexpr std::string_view kCreatedFirst[] = {"Namespace", "PriorityClass", "StorageClass", "ResourceQuota", "LimitRange",
                                              "ServiceAccount", "ConfigMap", "Secret", "Role", "ClusterRole", "RoleBinding",
                                              "ClusterRoleBinding", "PersistentVolumeClaim", "Service", "PodDisruptionBudget"};

bool is_system_namespace(std::string_view name) { return name == "default" || name.starts_with("kube-"); }

bool is_finished(const Value& object) {
  if (object[keys::kKind].as_string() == "Pod") {
    const auto& phase = object[keys::kStatus][keys::kPhase];
    return phase.as_string() == "Succeeded" || phase.as_string() == "Failed";
  }
  for (const auto& condition : object[keys::kStatus][keys::kConditions].items()) {
    const std::string_view type = condition[keys::kType].as_string();
    if ((type == "Complete" || type == "Failed") && condition[keys::kStatus].as_string() == "True") return true;
  }
  return false;
}

Value without_keys(const Value& map, const std::function<bool(std::string_view)>& leave_out) {
  if (!map.is_map()) return map;
  MapBuilder builder(map);
  for (const auto& [key, value] : map.entries()) {
    if (leave_out(key.text())) builder.erase(key);
  }
  Value result = std::move(builder).build();
  return result.empty() ? Value() : result;
}

bool is_server_annotation(std::string_view name) {
  return std::ranges::any_of(kServerAnnotations, [&](std::string_view head) { return name.starts_with(head); });
}

bool is_job_label(std::string_view name) { return std::ranges::find(kJobLabels, name) != std::end(kJobLabels); }

Value metadata_of(const Value& object) {
  const Value& from = object[keys::kMetadata];
  return Value::map({{keys::kName, from[keys::kName]},
                     {keys::kNamespace, from[keys::kNamespace]},
                     {keys::kLabels, without_keys(from[keys::kLabels], [&](std::string_view label) {
                        return object[keys::kKind].as_string() == "Job" && is_job_label(label);
                      })},
                     {keys::kAnnotations, without_keys(from[keys::kAnnotations], is_server_annotation)}});
}

Value service(const Value& spec) {
  MapBuilder builder(spec);
  if (spec[keys::kClusterIP].as_string() != "None") builder.erase(keys::kClusterIP).erase(keys::kClusterIPs);
  // A simulated cluster has IPv4 alone, and refuses what insists on more.
  builder.erase(keys::kIpFamilies).erase(keys::kIpFamilyPolicy).erase(keys::kHealthCheckNodePort);
  return std::move(builder).build();
}

// The volume through which an admission plugin gives a pod its account's token.
bool is_token_volume(const Value& volume) { return volume[keys::kName].as_string().starts_with("kube-api-access-"); }

Value without_items(const Value& list, const std::function<bool(const Value&)>& leave_out) {
  std::vector<Value> kept;
  for (const auto& item : list.items()) {
    if (!leave_out(item)) kept.push_back(item);
  }
  return kept.empty() ? Value() : Value::array(std::move(kept));
}

Value pod(const Value& spec) {
  MapBuilder builder(spec);
  builder.erase(keys::kNodeName).erase(keys::kPriority).erase(keys::kPreemptionPolicy);
  builder.erase(keys::kEphemeralContainers);  // which no new pod has
  builder.set(keys::kVolumes, without_items(spec[keys::kVolumes], is_token_volume));
  for (const auto& list : {keys::kContainers, keys::kInitContainers}) {
    std::vector<Value> containers;
    for (const auto& container : spec[list].items()) {
      containers.push_back(container.with(keys::kVolumeMounts, without_items(container[keys::kVolumeMounts], is_token_volume)));
    }
    builder.set(list, containers.empty() ? Value() : Value::array(std::move(containers)));
  }
  // Those that every pod gets.
  builder.set(keys::kTolerations, without_items(spec[keys::kTolerations], [](const Value& toleration) {
    const auto& key = toleration[keys::kKey];
    return toleration[keys::kTolerationSeconds].as_int() == 300 && key.as_string().starts_with("node.kubernetes.io/");
  }));
  return std::move(builder).build();
}

Value job(const Value& spec) {
  MapBuilder builder(spec);
  if (!spec[keys::kManualSelector].as_bool()) {
    builder.erase(keys::kSelector);
    const Value& labels = spec[keys::kTemplate][keys::kMetadata][keys::kLabels];
    builder.set(keys::kTemplate, spec[keys::kTemplate].with_at({keys::kMetadata, keys::kLabels}, without_keys(labels, is_job_label)));
  }
  return std::move(builder).build();
}

Value claim(const Value& spec, const std::string& title, Notes& notes) {
  const std::string_view storage_class = spec[keys::kStorageClassName].as_string();
  if (!storage_class.empty() && storage_class != "standard") {
    notes.add("claims get their volumes from the class standard instead of their own", title);
  }
  return spec.without(keys::kVolumeName).without(keys::kStorageClassName).without(keys::kDataSource).without(keys::kDataSourceRef);
}

Value stateful_set(const Value& spec, const std::string& title, Notes& notes) {
  std::vector<Value> templates;
  for (const auto& item : spec[keys::kVolumeClaimTemplates].items()) {
    templates.push_back(Value::map({{keys::kMetadata, metadata_of(item)}, {keys::kSpec, claim(item[keys::kSpec], title, notes)}}));
  }
  return spec.with(keys::kVolumeClaimTemplates, templates.empty() ? Value() : Value::array(std::move(templates)));
}

// A Secret, or what is merged into one; null takes a key away.
Value secret(const Value& object) {
  MapBuilder data;
  for (const auto& field : {keys::kData, keys::kStringData}) {
    for (const auto& [key, value] : object[field].entries()) data.set(key, value.is_null() ? value : Value(""));
  }
  return object.with(keys::kData, data.empty() ? Value() : std::move(data).build()).without(keys::kStringData);
}

void note_left_out_values(const std::string& title, Notes& notes) { notes.add("the values of Secrets are left out", title); }

}  // namespace

Result<std::vector<Value>> read_objects(std::string_view text, std::string_view name) {
  std::vector<Value> objects;
  const std::function<Status(const Value&, int)> add = [&](const Value& value, int line) -> Status {
    if (!value.is_map()) return Error(ErrorCode::kBadRequest, cat(name, ":", line, ": needs an object or a List"));
    const Value& items = value[keys::kItems];
    if (items.is_array() && value[keys::kKind].as_string().ends_with("List")) {
      // The items of a typed list do not say what they are.
      const std::string_view list_kind = value[keys::kKind].as_string();
      for (const auto& item : items.items()) {
        MapBuilder whole(item.is_map() ? item : Value::empty_map());
        if (list_kind != "List" && !item[keys::kKind].has_value()) {
          whole.set(keys::kApiVersion, value[keys::kApiVersion]).set(keys::kKind, list_kind.substr(0, list_kind.size() - 4));
        }
        MINIK_TRY(add(std::move(whole).build(), line));
      }
      return {};
    }
    objects.push_back(value);
    return {};
  };
  // JSON is YAML, but read as such it is a hundred times quicker.
  if (trim(text).starts_with('{')) {
    if (const auto whole = control::parse_json(text)) {
      MINIK_TRY(add(*whole, 1));
      return objects;
    }
  }
  MINIK_ASSIGN(const auto documents, control::parse_yaml(text, name));
  for (const auto& document : documents) MINIK_TRY(add(document.value, document.line));
  return objects;
}

const control::ResourceInfo* resource_of(const Value& object) {
  return control::Schema::builtin().find_kind(object[keys::kApiVersion].as_string(), object[keys::kKind].as_string());
}

std::string title_of(const Value& object) {
  const auto namespace_ = control::object_namespace(object);
  return cat(object[keys::kKind].as_string(), " ", namespace_, namespace_.empty() ? "" : "/", control::object_name(object));
}

bool makes_itself(const Value& object) {
  const std::string_view kind = object[keys::kKind].as_string();
  if (std::ranges::find(kMadeByItself, kind) != std::end(kMadeByItself)) return true;
  for (const auto& owner : object[keys::kMetadata][keys::kOwnerReferences].items()) {
    if (owner[keys::kController].as_bool()) return true;
  }
  const std::string name(control::object_name(object));
  if (kind == "Namespace") return is_system_namespace(name);
  if (kind == "ServiceAccount") return name == "default";
  if (kind == "ConfigMap") return name == "kube-root-ca.crt";
  if (kind == "Service" || kind == "PriorityClass") return name == "kubernetes" || name.starts_with("system-");
  if (kind == "ClusterRole" || kind == "ClusterRoleBinding" || kind == "Role" || kind == "RoleBinding") {
    return object[keys::kMetadata][keys::kLabels].get("kubernetes.io/bootstrapping").has_value();
  }
  if (kind == "Secret") return object[keys::kType].as_string() == "kubernetes.io/service-account-token";
  return false;
}

namespace {

// A newer cluster has fields that this one does not know, and a scenario would be refused for them.
std::optional<Value> as_known_here(const control::ResourceInfo& resource, Value manifest, const std::string& title, Notes& notes) {
  if (!resource.type) return manifest;
  auto decoded = control::decode(*resource.type, manifest);
  if (!decoded) {
    notes.add(cat("objects that cannot be read are left out (", decoded.error().message, ")"), title);
    return std::nullopt;
  }
  for (const auto& unknown : decoded->unknown_fields) notes.add(cat("what Kubernetes 1.35 does not know is left out, the ", unknown), title);
  return decoded->unknown_fields.empty() ? std::move(manifest) : std::move(decoded->object);
}

}  // namespace

std::optional<Value> manifest_of(const Value& object, Notes& notes) {
  const std::string title = title_of(object);
  const std::string kind = object[keys::kKind].string();
  const auto* resource = resource_of(object);
  if (!resource || !resource->has_verb("create")) {
    notes.add(cat("no simulated cluster has the kind ", kind, " of ", object[keys::kApiVersion].as_string()), control::object_name(object));
    return std::nullopt;
  }
  for (const auto& [name, why] : kWithoutEffect) {
    if (name != kind) continue;
    notes.add(std::string(why), title);
    return std::nullopt;
  }
  if (object[keys::kMetadata][keys::kDeletionTimestamp].has_value()) {
    notes.add("what was being deleted is left out", title);
    return std::nullopt;
  }
  if ((kind == "Pod" || kind == "Job") && is_finished(object)) {
    notes.add("what had ended is not started again", title);
    return std::nullopt;
  }
  if (object[keys::kMetadata][keys::kAnnotations].get("kubernetes.io/config.mirror").has_value()) {
    notes.add("static pods, which a node reads from its disk, are not carried over", title);
    return std::nullopt;
  }
  if (kind == "StorageClass" && object[keys::kProvisioner].as_string() != "rancher.io/local-path") {
    notes.add("storage classes of other provisioners are not carried over", title);
    return std::nullopt;
  }
  if (!object[keys::kMetadata][keys::kFinalizers].empty() && kind != "PersistentVolumeClaim") {
    notes.add("finalizers are left out: their controllers are not there to remove them", title);
  }
  if (kind == "Secret") note_left_out_values(title, notes);
  MapBuilder manifest(kind == "Secret" ? secret(object) : object);
  manifest.erase(keys::kStatus).set(keys::kMetadata, metadata_of(object));
  const Value& spec = object[keys::kSpec];
  if (kind == "Service") manifest.set(keys::kSpec, service(spec));
  if (kind == "Pod") manifest.set(keys::kSpec, pod(spec));
  if (kind == "Job") manifest.set(keys::kSpec, job(spec));
  if (kind == "PersistentVolumeClaim") manifest.set(keys::kSpec, claim(spec, title, notes));
  if (kind == "StatefulSet") manifest.set(keys::kSpec, stateful_set(spec, title, notes));
  // Its own secrets are made, or are not there.
  if (kind == "ServiceAccount") manifest.erase(keys::kSecrets);
  if (kind == "Namespace") manifest.erase(keys::kSpec);
  return as_known_here(*resource, std::move(manifest).build(), title, notes);
}

std::optional<Value> patch_of(std::string_view kind, const std::string& title, const Value& sent, Notes& notes) {
  const bool is_secret = kind == "Secret";
  if (sent.is_array() && is_secret) {
    notes.add("JSON patches of Secrets are left out: they have values", title);
    return std::nullopt;
  }
  if (sent.is_array()) return sent;
  if (!sent.is_map()) {
    notes.add("patches that the audit log does not have as an object are left out", title);
    return std::nullopt;
  }
  if (is_secret) note_left_out_values(title, notes);
  Value patch = is_secret ? secret(sent) : sent;
  if (const Value& annotations = patch[keys::kMetadata][keys::kAnnotations]; annotations.is_map()) {
    const Value metadata = patch[keys::kMetadata].with(keys::kAnnotations, without_keys(annotations, is_server_annotation));
    patch = patch.with(keys::kMetadata, metadata.empty() ? Value() : metadata);
  }
  return patch.empty() ? std::nullopt : std::optional(std::move(patch));
}

bool is_created_first(const Value& manifest) {
  constexpr size_t kFirst = 5;  // of kCreatedFirst
  const auto place = std::ranges::find(kCreatedFirst, manifest[keys::kKind].as_string()) - std::begin(kCreatedFirst);
  return static_cast<size_t>(place) < kFirst;
}

void sort_for_creation(std::vector<Value>& manifests) {
  std::ranges::stable_sort(manifests, {}, [](const Value& manifest) {
    return std::ranges::find(kCreatedFirst, manifest[keys::kKind].as_string()) - std::begin(kCreatedFirst);
  });
}

}  // namespace minik::sim
