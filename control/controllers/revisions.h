// ControllerRevisions: the history of a pod template, kept as objects of their own. What DaemonSets
// and StatefulSets have where a Deployment has ReplicaSets; `kubectl rollout history` and `undo`
// read them.
//
// A revision's data is the patch that brings its template back: {"spec": {"template": {…,
// "$patch": "replace"}}}. Its name is the owner's name and the hash of the template, so that a
// creation repeated from an old snapshot finds the first one there instead of a twin. Numbers grow:
// a template that comes back takes its old revision with a new, highest number.
//
// Pure decisions on a snapshot. Needs the kind controllerrevisions with the index kOrphans, and the
// owner's status.collisionCount; the owner writes what collision_count says with its status.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "control/controllers/claims.h"

namespace minik::control {

// On a pod, the revision that it was made from.
inline constexpr std::string_view kRevisionLabel = "controller-revision-hash";

struct RevisionHistory {
  Value latest;               // stands for the owner's template as it is now
  std::vector<Value> others;  // oldest first, without the latest
  // Further revisions of the latest's template, left by an adoption: to be removed.
  std::vector<Value> twins;
  int64_t collision_count = 0;

  // By name; absent when there is none.
  const Value& find(std::string_view name) const;
};

// The history, with the writes that it needs in the plan: adoption, the creation of the latest, its
// new number. `hash_label` is the label that a new revision carries its hash under.
RevisionHistory plan_history(Plan& plan, const Snapshot& snapshot, const Claimant& owner,
                             std::string_view hash_label);
// Removes the oldest revisions that nobody lives by, at most `surplus`.
void plan_history_limit(Plan& plan, const RevisionHistory& history, int64_t surplus,
                        const std::function<bool(const Value& revision)>& is_live);

// The pod template that a revision stands for.
Value template_of_revision(const Value& revision);
std::string_view revision_label_of(const Value& pod);

}  // namespace minik::control
