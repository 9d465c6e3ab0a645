// Rows of volumes, claims, storage classes and what volume drivers say of themselves.
#include <algorithm>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"
#include "control/schema/kinds.h"
#include "control/schema/table_rows.h"
#include "control/schema/views/core_volume.h"
#include "control/schema/views/storage.h"

namespace minik::control {

namespace {

std::string access_modes(const Value& modes) {
  std::vector<std::string> parts;
  const std::pair<std::string_view, std::string_view> short_names[] = {
      {"ReadWriteOnce", "RWO"},
      {"ReadOnlyMany", "ROX"},
      {"ReadWriteMany", "RWX"},
      {"ReadWriteOncePod", "RWOP"}};
  for (const auto& [mode, short_name] : short_names) {
    const bool has = std::ranges::any_of(
        modes.items(), [&, wanted = mode](const Value& m) { return m.as_string() == wanted; });
    if (has) parts.emplace_back(short_name);
  }
  return join(parts, ",");
}

std::string or_unset(std::string_view text) {
  return std::string(text.empty() ? "<unset>" : text);
}

constexpr TableColumn kVolume[] = {{"Name", "string"},         {"Capacity", "string"},
                                   {"Access Modes", "string"}, {"Reclaim Policy", "string"},
                                   {"Status", "string"},       {"Claim", "string"},
                                   {"StorageClass", "string"}, {"VolumeAttributesClass", "string"},
                                   {"Reason", "string"},       {"Age", "string"},
                                   {"VolumeMode", "string", 1}};

void volume_cells(const Value& object, WallTime now, Cells& cells) {
  const PersistentVolumeView volume(object);
  const auto spec = volume.spec();
  const auto claim = spec.claimRef();
  cells.emplace_back(spec.capacity().get("storage").as_string());
  cells.emplace_back(access_modes(spec.accessModes_value()));
  cells.emplace_back(spec.persistentVolumeReclaimPolicy());
  cells.emplace_back(is_deleting(object) ? "Terminating" : volume.status().phase());
  cells.emplace_back(claim ? cat(claim.namespace_(), "/", claim.name()) : std::string());
  cells.emplace_back(spec.storageClassName());
  cells.emplace_back(or_unset(spec.volumeAttributesClassName()));
  cells.emplace_back(volume.status().reason());
  cells.emplace_back(object_age(object, now));
  cells.emplace_back(or_unset(spec.volumeMode()));
}

constexpr TableColumn kClaim[] = {{"Name", "string"},
                                  {"Status", "string"},
                                  {"Volume", "string"},
                                  {"Capacity", "string"},
                                  {"Access Modes", "string"},
                                  {"StorageClass", "string"},
                                  {"VolumeAttributesClass", "string"},
                                  {"Age", "string"},
                                  {"VolumeMode", "string", 1}};

void claim_cells(const Value& object, WallTime now, Cells& cells) {
  const PersistentVolumeClaimView claim(object);
  const bool bound = !claim.spec().volumeName().empty();
  cells.emplace_back(is_deleting(object) ? "Terminating" : claim.status().phase());
  cells.emplace_back(claim.spec().volumeName());
  cells.emplace_back(bound ? claim.status().capacity().get("storage").as_string() : "");
  cells.emplace_back(bound ? access_modes(claim.status().accessModes_value()) : std::string());
  cells.emplace_back(claim.spec().storageClassName());
  cells.emplace_back(or_unset(claim.spec().volumeAttributesClassName()));
  cells.emplace_back(object_age(object, now));
  cells.emplace_back(or_unset(claim.spec().volumeMode()));
}

constexpr TableColumn kStorageClass[] = {{"Name", "string"},
                                         {"Provisioner", "string"},
                                         {"ReclaimPolicy", "string"},
                                         {"VolumeBindingMode", "string"},
                                         {"AllowVolumeExpansion", "string"},
                                         {"Age", "string"}};

void storage_class_cells(const Value& object, WallTime now, Cells& cells) {
  const StorageClassView storage(object);
  cells[0] = Value(storage.metadata().name());
  const auto annotated = [&](std::string_view name) {
    return storage.metadata().annotations().get(name).as_string() == "true";
  };
  if (annotated("storageclass.kubernetes.io/is-default-class") ||
      annotated("storageclass.beta.kubernetes.io/is-default-class")) {
    cells[0] = Value(cat(storage.metadata().name(), " (default)"));
  }
  cells.emplace_back(storage.provisioner());
  cells.emplace_back(storage.reclaimPolicy());
  cells.emplace_back(storage.volumeBindingMode());
  cells.emplace_back(storage.allowVolumeExpansion());
  cells.emplace_back(object_age(object, now));
}

constexpr TableColumn kVolumeAttributesClass[] = {{"Name", "string"}, {"DriverName", "string"}, {"Age", "string"}};

void volume_attributes_class_cells(const Value& object, WallTime now, Cells& cells) {
  const Value& annotations = object[keys::kMetadata][keys::kAnnotations];
  if (annotations.get("storageclass.kubernetes.io/is-default-class").as_string() == "true")
    cells[0] = Value(cat(object_name(object), " (default)"));
  cells.emplace_back(VolumeAttributesClassView(object).driverName());
  cells.emplace_back(object_age(object, now));
}

constexpr TableColumn kDriver[] = {{"Name", "string"},
                                   {"AttachRequired", "boolean"},
                                   {"PodInfoOnMount", "boolean"},
                                   {"StorageCapacity", "boolean"},
                                   {"TokenRequests", "string"},
                                   {"RequiresRepublish", "boolean"},
                                   {"Modes", "string"},
                                   {"Age", "string"}};

void driver_cells(const Value& object, WallTime now, Cells& cells) {
  const auto spec = CSIDriverView(object).spec();
  std::vector<std::string> audiences, modes;
  for (const auto request : spec.tokenRequests()) audiences.emplace_back(request.audience());
  for (const auto mode : spec.volumeLifecycleModes()) modes.emplace_back(mode);
  cells.emplace_back(!spec.has_attachRequired() || spec.attachRequired());
  cells.emplace_back(spec.podInfoOnMount());
  cells.emplace_back(spec.storageCapacity());
  cells.emplace_back(spec.has_tokenRequests() ? join(audiences, ",") : "<unset>");
  cells.emplace_back(spec.requiresRepublish());
  cells.emplace_back(or_none(join(modes, ",")));
  cells.emplace_back(object_age(object, now));
}

constexpr TableColumn kDriversOfNode[] = {{"Name", "string"}, {"Drivers", "integer"}, {"Age", "string"}};

void drivers_of_node_cells(const Value& object, WallTime now, Cells& cells) {
  cells.emplace_back(static_cast<int64_t>(CSINodeView(object).spec().drivers().size()));
  cells.emplace_back(object_age(object, now));
}

constexpr TableColumn kStorageCapacity[] = {{"Name", "string"}, {"StorageClassName", "string"}, {"Capacity", "string"}};

void storage_capacity_cells(const Value& object, WallTime, Cells& cells) {
  cells.emplace_back(object[keys::kStorageClassName].as_string());
  cells.emplace_back(or_unset(object[keys::kCapacity].as_string()));
}

constexpr TableColumn kAttachment[] = {{"Name", "string"}, {"Attacher", "string"},  {"PV", "string"},
                                       {"Node", "string"}, {"Attached", "boolean"}, {"Age", "string"}};

void attachment_cells(const Value& object, WallTime now, Cells& cells) {
  const VolumeAttachmentView attachment(object);
  cells.emplace_back(attachment.spec().attacher());
  cells.emplace_back(attachment.spec().source().persistentVolumeName());
  cells.emplace_back(attachment.spec().nodeName());
  cells.emplace_back(attachment.status().attached());
  cells.emplace_back(object_age(object, now));
}

constexpr TableLayout kStorageLayouts[] = {
    {kinds::kPersistentvolumes, kVolume, volume_cells},
    {kinds::kPersistentvolumeclaims, kClaim, claim_cells},
    {kinds::kStorageclasses, kStorageClass, storage_class_cells},
    {kinds::kVolumeattributesclasses, kVolumeAttributesClass, volume_attributes_class_cells},
    {kinds::kCsidrivers, kDriver, driver_cells},
    {kinds::kCsinodes, kDriversOfNode, drivers_of_node_cells},
    {kinds::kCsistoragecapacities, kStorageCapacity, storage_capacity_cells},
    {kinds::kVolumeattachments, kAttachment, attachment_cells},
};

}  // namespace

std::span<const TableLayout> storage_layouts() {
  return kStorageLayouts;
}

}  // namespace minik::control
