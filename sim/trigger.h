// Trigger: when an action or a fault of a scenario happens. At a moment, upon something that happens, or again
// and again at random. A value; triggers.h waits for it.
#pragma once

#include <optional>
#include <string>

#include "control/client/request.h"
#include "control/schema/schema.h"
#include "sim/distribution.h"
#include "sim/predicate.h"

namespace minik::sim {

// Writes of components. What is not given may be anything.
struct WriteMatch {
  std::optional<control::Verb> verb;
  std::optional<control::KindId> kind;
  std::string namespace_, name, subresource;
  std::string component;  // by its name, "nodes", a node's name, or "admin" for the scenario's own

  bool matches(const control::Schema& schema, const std::string& who, const control::ApiRequest& request) const;
};

struct Trigger {
  enum class When : uint8_t {
    kAt,       // virtual time since the start
    kWrite,    // the count-th successful write of this kind
    kBetween,  // a component has written `write` and is about to write `before`, which is lost
    kBecomes,  // the predicate holds; looked at every virtual second from `at` on
    kRandom,   // at random, until the faults end
  };
  When when = When::kAt;
  Duration at;
  WriteMatch write, before;
  int64_t count = 1;
  std::optional<Predicate> predicate;
  Distribution interval;
  Duration delay;  // after what was waited for
  // Only in so many of a million runs, drawn once for a whole run.
  uint32_t in_runs = 1'000'000;
};

}  // namespace minik::sim
