// JSON text to documents and back (RFC 8259), as kube-apiserver reads and writes it.
//
// Reading: Boost.JSON's incremental parser feeds Values directly. Integers that fit int64 stay
// integers, all other numbers are doubles. The last of duplicate keys wins; where the caller wants to
// know of them (field validation) their paths are listed, as "spec.containers[0].name". Depth is limited. Errors say line and column.
// Writing: compact, keys in stored order, Go's HTML-safe escapes, doubles in their shortest form.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "control/base/result.h"
#include "control/object/value.h"

namespace minik::control {

Result<Value> parse_json(std::string_view text, std::vector<std::string>* duplicate_fields = nullptr);

void write_json(const Value& value, std::string& out);
std::string to_json(const Value& value);
// Two spaces of indentation and a final newline, as `kubectl -o json` shows.
std::string to_pretty_json(const Value& value);

}  // namespace minik::control
