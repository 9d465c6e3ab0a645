// What the server itself writes into metadata. Functions from object to object; each makes one new
// metadata map.
#pragma once

#include "control/base/rng.h"
#include "control/base/time.h"
#include "control/object/object_ref.h"

namespace minik::control {

// uid, creationTimestamp, generation 1 where the kind has one, name from generateName, namespace. `now` is a metav1.Time.
Value stamp_new(const Value& object, std::string_view namespace_, const Value& now, bool generation, Rng& rng);
Value with_revision(const Value& object, Revision revision);
Value with_generation(const Value& object, int64_t generation);
// deletionTimestamp = now + grace and deletionGracePeriodSeconds.
Value with_deletion(const Value& object, WallTime now, int64_t grace_seconds);
Value with_finalizer(const Value& object, std::string_view finalizer);
Value without_finalizer(const Value& object, std::string_view finalizer);
bool has_finalizers(const Value& object);
bool has_finalizer(const Value& object, std::string_view finalizer);

}  // namespace minik::control
