// The token by which a list goes on: which snapshot, and after which object. Opaque to clients, text that fits a URL.
//
// A snapshot that is forgotten answers 410 with a fresh token, which goes on after the same object in whatever the
// newest list is by then: consistent no longer, but complete for who only wants the rest. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "control/object/object_ref.h"

namespace minik::control {

struct ContinueToken {
  std::optional<Revision> revision;  // none: the newest there is
  std::string namespace_, name;      // of the last object that was given
};

std::string encode_continue(const ContinueToken& token);
// Nothing for what encode_continue() did not make.
std::optional<ContinueToken> decode_continue(std::string_view text);

}  // namespace minik::control
