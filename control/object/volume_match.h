// What PersistentVolumes, their claims and pods say about one another: readers that the binder, the
// provisioner, the scheduler and the node agent share. Pure functions over documents.
//
// The spec is Kubernetes' PersistentVolume documentation: a claim takes the smallest volume that
// has its class, mode, access modes, labels and size; a class named "" is a class of its own; the
// old annotation volume.beta.kubernetes.io/storage-class stands before the field.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "control/object/value.h"

namespace minik::control {

namespace volume_notes {
inline constexpr std::string_view kBindCompleted = "pv.kubernetes.io/bind-completed";
inline constexpr std::string_view kBoundByController = "pv.kubernetes.io/bound-by-controller";
inline constexpr std::string_view kProvisionedBy = "pv.kubernetes.io/provisioned-by";
inline constexpr std::string_view kProvisioner = "volume.kubernetes.io/storage-provisioner";
inline constexpr std::string_view kProvisionerBeta =
    "volume.beta.kubernetes.io/storage-provisioner";
inline constexpr std::string_view kSelectedNode = "volume.kubernetes.io/selected-node";
inline constexpr std::string_view kClassBeta = "volume.beta.kubernetes.io/storage-class";
inline constexpr std::string_view kDefaultClass = "storageclass.kubernetes.io/is-default-class";
}  // namespace volume_notes

// Of a class that never makes volumes: they are made by hand, and wait for their claims.
inline constexpr std::string_view kNoProvisioner = "kubernetes.io/no-provisioner";
// The provisioner that this cluster brings: directories of a node. Charts for k3s and kind know it.
inline constexpr std::string_view kLocalPathProvisioner = "rancher.io/local-path";

// Of a claim or a volume; empty when none is named.
std::string storage_class_of(const Value& object);
// Whether a claim says nothing about its class, so that the default one may be given to it.
bool asks_for_default_class(const Value& claim);
// The newest class that is marked as the default, or absent.
Value default_storage_class(const std::vector<Value>& classes);
bool waits_for_consumer(const Value& storage_class);

// spec.claimRef names this claim, and not a namesake of an earlier life.
bool is_reserved_for(const Value& volume, const Value& claim);
// Both sides of the claim's bond have been written.
bool is_fully_bound(const Value& claim);
// What keeps the volume from serving the claim, in Kubernetes' words; empty when it can. Does not
// look at who else the volume is reserved for.
std::string why_unfit(const Value& volume, const Value& claim);
// The smallest volume that can serve the claim: one reserved for it before all, else a free one.
// `reserved_only` passes over free ones. Absent when there is none.
Value best_volume(const std::vector<Value>& volumes, const Value& claim, bool reserved_only);

// The claims that a pod's volumes name, those of its ephemeral volumes included.
std::vector<std::string> claims_of_pod(const Value& pod);
std::string claim_of_volume(const Value& pod, const Value& pod_volume);
// Why the pod may not use the claim that was found for this volume; empty when it may. The claim of
// an ephemeral volume is its pod's alone.
std::string why_not_for_pod(const Value& pod, const Value& pod_volume, const Value& claim);

}  // namespace minik::control
