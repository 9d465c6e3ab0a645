// Validation of volumes: those of pods, and the storage behind them.
#include <algorithm>
#include <set>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/quantity.h"
#include "control/schema/names.h"
#include "control/schema/validation_rules.h"

namespace minik::control {

namespace {

// ---- of pods ----

void check_volume(const Value& volume, const FieldPath& at, FieldErrors& errors) {
  size_t sources = 0;
  for (const auto& [key, source] : volume.entries()) {
    if (key == keys::kName || !source.has_value()) continue;
    if (++sources > 1) {
      errors.forbidden(at.field(key.text()), "may not specify more than 1 volume type");
    }
  }
  if (sources == 0) errors.required(at, "must specify a volume type");
}

void check_mode(const Value& mode, const FieldPath& at, FieldErrors& errors) {
  if (mode.as_int() < 0 || mode.as_int() > 0777) {
    errors.invalid(at, mode, "must be a number between 0 and 0777 (octal), both inclusive");
  }
}

void check_default_mode(const Value& source, const FieldPath& at, FieldErrors& errors) {
  const FieldPath mode = at.field("defaultMode");
  check_mode(source[keys::kDefaultMode], mode, errors);
}

void check_local_path(const Value& path, const FieldPath& at, FieldErrors& errors) {
  const std::string_view text = path.as_string();
  if (text.starts_with('/')) errors.invalid(at, path, "must be a relative path");
  for (const auto part : split(text, '/')) {
    if (part == "..") errors.invalid(at, path, "must not contain '..'");
  }
}

void check_key_to_path(const Value& item, const FieldPath& at, FieldErrors& errors) {
  const FieldPath path = at.field("path");
  check_local_path(item[keys::kPath], path, errors);
  const FieldPath mode = at.field("mode");
  check_mode(item[keys::kMode], mode, errors);
}

void check_secret_volume(const Value& source, const FieldPath& at, FieldErrors& errors) {
  if (source[keys::kSecretName].as_string().empty()) errors.required(at.field("secretName"));
  check_default_mode(source, at, errors);
}

void check_config_map_volume(const Value& source, const FieldPath& at, FieldErrors& errors) {
  if (source[keys::kName].as_string().empty()) errors.required(at.field("name"));
  check_default_mode(source, at, errors);
}

void check_host_path(const Value& source, const FieldPath& at, FieldErrors& errors) {
  for (const auto part : split(source[keys::kPath].as_string(), '/')) {
    if (part == "..")
      errors.invalid(at.field("path"), source[keys::kPath], "must not contain '..'");
  }
}

void check_ephemeral(const Value& source, const FieldPath& at, FieldErrors& errors) {
  if (!source[keys::kVolumeClaimTemplate].has_value()) errors.required(at.field("volumeClaimTemplate"));
}

// Fields of the pod as files: fewer than as variables, for a file does not know its container.
void check_downward_item(const Value& item, const FieldPath& at, FieldErrors& errors) {
  static constexpr std::string_view kDownwardFields[] = {"metadata.annotations", "metadata.labels", "metadata.name",
                                                         "metadata.namespace", "metadata.uid"};
  const FieldPath path = at.field("path"), mode = at.field("mode"), resource = at.field("resourceFieldRef");
  check_local_path(item[keys::kPath], path, errors);
  check_mode(item[keys::kMode], mode, errors);
  const Value &field = item[keys::kFieldRef], &amount = item[keys::kResourceFieldRef];
  if (field.has_value() && amount.has_value()) {
    errors.invalid(at, Value("resource"), "fieldRef and resourceFieldRef can not be specified simultaneously");
  } else if (field.has_value()) {
    const Value& name = field[keys::kFieldPath];
    const std::string_view text = name.as_string();
    const bool one_of_many = (text.starts_with("metadata.labels['") || text.starts_with("metadata.annotations['")) && text.ends_with("']");
    if (!text.empty() && !one_of_many && std::ranges::find(kDownwardFields, text) == std::end(kDownwardFields))
      errors.not_supported(at.field("fieldRef.fieldPath"), name, kDownwardFields);
  } else if (amount.has_value()) {
    if (amount[keys::kContainerName].as_string().empty()) errors.required(resource.field("containerName"));
    check_resource_reference(amount, resource, errors);
  } else {
    errors.required(at, "one of fieldRef and resourceFieldRef is required");
  }
}

void check_token_projection(const Value& token, const FieldPath& at, FieldErrors& errors) {
  constexpr int64_t kSecondsMin = 600, kSecondsMax = int64_t{1} << 32;
  const Value& seconds = token[keys::kExpirationSeconds];
  if (seconds.has_value() && seconds.as_int() < kSecondsMin) {
    errors.invalid(at.field("expirationSeconds"), seconds, "may not specify a duration less than 10 minutes");
  } else if (seconds.as_int() > kSecondsMax) {
    errors.invalid(at.field("expirationSeconds"), seconds, "may not specify a duration larger than 2^32 seconds");
  }
}

// Each file comes from one source; one that a token takes away is only warned of.
void check_projected(const Value& volume, const FieldPath& at, FieldErrors& errors) {
  check_default_mode(volume, at, errors);
  std::set<std::string_view> paths;
  const auto add = [&](const Value& path, const Value& whose) {
    if (!path.as_string().empty() && !paths.insert(path.as_string()).second) errors.invalid(at, whose, "conflicting duplicate paths");
  };
  const FieldPath sources = at.field("sources");
  const auto all = volume[keys::kSources].items();
  for (size_t i = 0; i < all.size(); ++i) {
    size_t kinds = 0;
    const FieldPath here = sources.index(i);
    for (const auto& [kind, source] : all[i].entries()) {
      if (!source.has_value()) continue;
      if (++kinds > 1) errors.forbidden(here, "may not specify more than 1 volume type per source");
      const Value& name = source[keys::kName];
      for (const auto& item : source[keys::kItems].items()) add(item[keys::kPath], name.has_value() ? name : item[keys::kPath]);
      if (kind == keys::kClusterTrustBundle) add(source[keys::kPath], source[keys::kPath]);
    }
    if (kinds == 0) errors.required(here, "must specify at least one source");
  }
}

// ---- claims and what they are bound to ----

void check_data_source(const Value& source, const FieldPath& at, FieldErrors& errors) {
  if (!source.has_value() || !source[keys::kApiGroup].as_string().empty()) return;
  const Value& kind = source[keys::kKind];
  if (!kind.as_string().empty() && kind.as_string() != "PersistentVolumeClaim")
    errors.invalid(at, kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup");
}

void check_alone(const Value& modes, const FieldPath& at, FieldErrors& errors) {
  const auto alone = [](const Value& mode) { return mode.as_string() == "ReadWriteOncePod"; };
  if (std::ranges::any_of(modes.items(), alone) && !std::ranges::all_of(modes.items(), alone))
    errors.forbidden(at.field("accessModes"), "may not use ReadWriteOncePod with other access modes");
}

void check_claim_spec(const Value& spec, const FieldPath& at, FieldErrors& errors) {
  if (spec[keys::kAccessModes].empty()) {
    errors.required(at.field("accessModes"), "at least 1 access mode is required");
  }
  check_alone(spec[keys::kAccessModes], at, errors);
  const Value& class_name = spec[keys::kStorageClassName];
  if (!class_name.as_string().empty())
    errors.invalid_each(at.field("storageClassName"), class_name, check_dns_subdomain(class_name.as_string()));
  const Value& size = spec.at({keys::kResources, keys::kRequests}).get("storage");
  const FieldPath requests = at.field("resources");
  if (!size.has_value()) {
    errors.required(requests.key("storage"));
  } else if (Quantity::of_value(size).zero() || Quantity::of_value(size).negative()) {
    errors.invalid(requests.key("storage"), size, "must be greater than zero");
  }
  check_data_source(spec[keys::kDataSource], at.field("dataSource"), errors);
  const Value &from = spec[keys::kDataSource], &reference = spec[keys::kDataSourceRef];
  // The older field says the same with less: where both stand they agree.
  const bool agree = from[keys::kKind] == reference[keys::kKind] && from[keys::kName] == reference[keys::kName] &&
                     from[keys::kApiGroup].as_string() == reference[keys::kApiGroup].as_string();
  if (from.has_value() && reference.has_value() && !reference[keys::kNamespace].has_value() && !agree)
    errors.invalid(at, Value("dataSource"), "must match dataSourceRef");
}

// What the volume is, among the fields that say how it may be used.
bool is_volume_source(std::string_view field) {
  constexpr std::string_view kOthers[] = {"accessModes", "capacity", "claimRef", "mountOptions", "nodeAffinity",
                                          "persistentVolumeReclaimPolicy", "storageClassName", "volumeAttributesClassName",
                                          "volumeMode"};
  return std::ranges::find(kOthers, field) == std::end(kOthers);
}

bool is_root(std::string_view path) {
  const auto parts = split(path, '/');
  return path.starts_with('/') && std::ranges::all_of(parts, [](std::string_view part) { return part.empty() || part == "."; });
}

void check_sources(const Value& spec, const FieldPath& at, FieldErrors& errors) {
  size_t sources = 0;
  for (const auto& [key, source] : spec.entries()) {
    if (!source.has_value() || !is_volume_source(key.text())) continue;
    if (++sources > 1) errors.forbidden(at.field(key.text()), "may not specify more than 1 volume type");
  }
  if (sources == 0) errors.required(at, "must specify a volume type");
  if (spec[keys::kLocal].has_value() && !spec[keys::kNodeAffinity].has_value())
    errors.required(at.field("nodeAffinity"), "Local volume requires node affinity");
  const bool recycled = spec["persistentVolumeReclaimPolicy"].as_string() == "Recycle";
  if (recycled && is_root(spec[keys::kHostPath][keys::kPath].as_string()))
    errors.forbidden(at.field("persistentVolumeReclaimPolicy"), "may not be 'recycle' for a hostPath mount of '/'");
}

// Of a PersistentVolume, and of one that a VolumeAttachment describes.
void check_volume_spec(const Value& spec, const FieldPath& at, FieldErrors& errors) {
  if (spec[keys::kAccessModes].empty()) errors.required(at.field("accessModes"));
  check_alone(spec[keys::kAccessModes], at, errors);
  check_sources(spec, at, errors);
  const Value& changed = spec["volumeAttributesClassName"];
  if (!changed.has_value()) return;
  if (changed.as_string().empty()) {
    errors.required(at.field("volumeAttributesClassName"), "an empty string is disallowed");
  } else {
    errors.invalid_each(at.field("volumeAttributesClassName"), changed, check_dns_subdomain(changed.as_string()));
  }
  if (!spec["csi"].has_value()) errors.required(at.field("csi"), "has to be specified when using volumeAttributesClassName");
}

void check_persistent_volume(const Value& volume, const FieldPath& at, FieldErrors& errors) {
  static constexpr std::string_view kStorage[] = {"storage"};
  const Value& spec = volume[keys::kSpec];
  const FieldPath here = at.field("spec");
  const FieldPath capacity = here.field("capacity");
  const Value &amounts = spec[keys::kCapacity], &class_name = spec[keys::kStorageClassName];
  if (amounts.empty()) errors.required(capacity);
  if (amounts.size() != 1 || amounts["storage"].is_absent())
    errors.not_supported(capacity, amounts.has_value() ? amounts : Value::empty_map(), kStorage);
  for (const auto& [key, amount] : amounts.entries()) {
    const Quantity size = Quantity::of_value(amount);
    if (size.negative()) errors.invalid(capacity.key(key.text()), amount, "must be a valid resource quantity");
    if (size.negative() || size.zero()) errors.invalid(capacity.key(key.text()), amount, "must be greater than zero");
  }
  if (!class_name.as_string().empty())
    errors.invalid_each(here.field("storageClassName"), class_name, check_dns_subdomain(class_name.as_string()));
}

void check_volume_affinity(const Value& affinity, const FieldPath& at, FieldErrors& errors) {
  if (!affinity[keys::kRequired].has_value()) errors.required(at.field("required"), "must specify required node constraints");
}

void check_csi_source(const Value& source, const FieldPath& at, FieldErrors& errors) {
  const FieldPath driver = at.field("driver");
  check_driver_name(source["driver"], driver, errors);
}

void check_fibre_channel(const Value& source, const FieldPath& at, FieldErrors& errors) {
  constexpr int64_t kLunMax = 255;
  const Value &targets = source["targetWWNs"], &lun = source["lun"];
  const FieldPath targets_at = at.field("targetWWNs"), lun_at = at.field("lun");
  const bool named = !source["wwids"].empty();
  if (targets.empty() && !named) errors.required(targets_at, "must specify either targetWWNs or wwids, but not both");
  if (!targets.empty() && named) errors.invalid(targets_at, targets, "targetWWNs and wwids can not be specified simultaneously");
  if (targets.empty()) return;
  if (!lun.has_value()) {
    errors.required(lun_at, "lun is required if targetWWNs is specified");
  } else if (lun.as_int() < 0 || lun.as_int() > kLunMax) {
    errors.invalid(lun_at, lun, cat("must be between 0 and ", kLunMax, ", inclusive"));
  }
}

constexpr NamedCheckRule kVolumeRules[] = {
    {"core", "Volume", check_volume},
    {"core", "KeyToPath", check_key_to_path},
    {"core", "SecretVolumeSource", check_secret_volume},
    {"core", "ConfigMapVolumeSource", check_config_map_volume},
    {"core", "DownwardAPIVolumeSource", check_default_mode},
    {"core", "DownwardAPIVolumeFile", check_downward_item},
    {"core", "EphemeralVolumeSource", check_ephemeral},
    {"core", "ProjectedVolumeSource", check_projected},
    {"core", "ServiceAccountTokenProjection", check_token_projection},
    {"core", "HostPathVolumeSource", check_host_path},
    {"core", "PersistentVolumeClaimSpec", check_claim_spec},
    {"core", "PersistentVolume", check_persistent_volume},
    {"core", "PersistentVolumeSpec", check_volume_spec},
    {"core", "VolumeNodeAffinity", check_volume_affinity},
    {"core", "CSIPersistentVolumeSource", check_csi_source},
    {"core", "FCVolumeSource", check_fibre_channel},
};

}  // namespace

std::span<const NamedCheckRule> volume_rules() {
  return kVolumeRules;
}

}  // namespace minik::control
