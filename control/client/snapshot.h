// Snapshot: what a decision may read. A borrowed set of caches as they are at the start of a
// reconcile; a decision function gets nothing else from outside but its Env. Valid during one turn.
//
// Typed reads go through the views that the schema generates: snapshot.find<PodView>(key). A view
// borrows the document inside the cache.
#pragma once

#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "control/client/object_cache.h"

namespace minik::control {

class Snapshot {
 public:
  void add(const ObjectCache& cache) { caches_[cache.kind()] = &cache; }

  // CHECKs that the kind was added: reading a kind that the controller did not declare is a mistake
  // in the controller, not an empty answer.
  const ObjectCache& cache(KindId kind) const;

  const Value& find(KindId kind, std::string_view namespace_, std::string_view name) const {
    return cache(kind).find(namespace_, name);
  }
  std::vector<Value> list(KindId kind, std::string_view namespace_ = {}) const {
    return counted(cache(kind).list(namespace_));
  }
  std::vector<Value> owned_by(KindId kind, std::string_view owner_uid) const {
    return indexed(kind, kByController, owner_uid);
  }
  std::vector<Value> indexed(KindId kind, std::string_view index, std::string_view value) const {
    return counted(cache(kind).indexed(index, value));
  }
  // Sorted by name; the kind must be watched as one that is selected by labels.
  std::vector<Value> selected(KindId kind, std::string_view namespace_, const LabelSelector& selector) const {
    return counted(cache(kind).selected(namespace_, selector));
  }
  const std::vector<Tallied>& tally(KindId kind, std::string_view name, std::string_view value) const {
    return cache(kind).tally(name, value);
  }

  // How many objects were listed through it so far: what a decision cost.
  size_t listed() const { return listed_; }

 private:
  std::vector<Value> counted(std::vector<Value> found) const {
    listed_ += found.size();
    return found;
  }

  mutable size_t listed_ = 0;
  std::map<KindId, const ObjectCache*> caches_;
};

}  // namespace minik::control
