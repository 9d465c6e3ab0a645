// SubtreePool: makes equal parts of different documents one part.
//
// A thousand pods of one ReplicaSet say the same thing in almost all of their spec, but arrive as a
// thousand texts (from clients, from kubelets, from disk). shared() gives back an equal document
// whose subtrees and strings are, where an equal one has passed before, that one. What is already
// shared costs one look; a new version of a document costs its changed path.
//
// The pool is a direct-mapped table by content hash: of fixed size, and the newcomer replaces what
// it finds, so that it forgets instead of growing. It keeps what is in its slots alive: at most
// `slots` subtrees. Same inputs, same sharing on every machine. A plain container: one owner, one
// thread.
#pragma once

#include <cstddef>
#include <vector>

#include "control/object/value.h"

namespace minik::control {

class SubtreePool {
 public:
  // `slots` is a power of two.
  explicit SubtreePool(size_t slots = size_t{1} << 14);

  // `previous`: the version that this pool shared before, or absent.
  Value share(const Value& document, const Value& previous = Value::absent());

 private:
  Value shared(const Value& value, const Value& previous);

  std::vector<Value> slots_;
};

}  // namespace minik::control
