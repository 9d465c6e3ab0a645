// QueueEvent: what put a pod into one of the scheduler's queues, under kube-scheduler's labels of
// scheduler_queue_incoming_pods_total. An event of the cluster is named by the resource and what happened to it,
// as a ClusterEvent's label there; the others are steps of the scheduler itself.
//
// Pods of one class that follow each other out of the queue carry the event that woke the first of them. Plain
// data.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace minik::control {

enum class QueueEvent : uint8_t {
  kPodAdd,
  kPodUpdate,
  kGatesEliminated,
  kAttemptFailure,
  kBackOffComplete,
  kPopFromBackOff,
  kUnschedulableTimeout,
  kForceActivate,
  kAssignedPodAdd,
  kAssignedPodUpdate,
  kAssignedPodDelete,
  kNodeAdd,
  kNodeUpdate,
  kNamespaceUpdate,
  kClaimUpdate,
  kVolumeUpdate,
  kStorageClassUpdate,
  kCsiNodeUpdate,
};

// By the enumeration's order.
inline constexpr std::array<std::string_view, 18> kQueueEventLabels = {
    "UnschedulablePodAdd",
    "UnschedulablePodUpdate",
    "UnschedulablePodUpdatePodSchedulingGatesEliminated",
    "ScheduleAttemptFailure",
    "BackoffComplete",
    "PopFromBackoffQ",
    "UnschedulableTimeout",
    "ForceActivate",
    "AssignedPodAdd",
    "AssignedPodUpdate",
    "AssignedPodDelete",
    "NodeAdd",
    "NodeUpdate",
    "NamespaceUpdate",
    "PersistentVolumeClaimUpdate",
    "PersistentVolumeUpdate",
    "storage.k8s.io/StorageClassUpdate",
    "storage.k8s.io/CSINodeUpdate",
};
static_assert(kQueueEventLabels.size() == static_cast<size_t>(QueueEvent::kCsiNodeUpdate) + 1);

enum class QueueName : uint8_t { kActive, kBackOff, kUnschedulable };
inline constexpr std::array<std::string_view, 3> kQueueNames = {"active", "backoff", "unschedulable"};

}  // namespace minik::control
