// The PersistentVolume binder: gives claims their volumes and keeps both sides' phases.
//
//   claim   Pending --volume found--> Bound --volume gone or taken--> Lost
//   volume  Available --claimed--> Bound --claim gone--> Released (Retain) or deleted (Delete)
//
// Two controllers over one set of rules: claim_binder() decides about a claim and writes the bond
// (the volume's claimRef first, then the claim's volumeName), volume_binder() about a volume and
// its phase. Each decision writes an object at most once, under the resourceVersion it read, and
// goes on when its own write has come back, so a crash between two writes leaves a bond that the
// next look completes. A volume whose claim the cache does not know is released only after the
// server has said that the claim is gone.
//
// Making and deleting what is behind a volume belongs to its provisioner (local_path.h); a volume
// that nobody can delete becomes Failed. Recycle is refused: Kubernetes has deprecated it.
#pragma once

#include "control/client/controller.h"

namespace minik::control {

ControllerSpec claim_binder();
ControllerSpec volume_binder();

// Indexes that the controllers about volumes share.
inline constexpr std::string_view kByClaim = "claim";  // "namespace/name": volumes, and pods
IndexFunction volumes_by_claim();
IndexFunction pods_by_claim();
std::string claim_index_value(std::string_view namespace_, std::string_view name);

}  // namespace minik::control
