// JSON text to documents and back (RFC 8259), as kube-apiserver reads and writes it.
//
// Reading: Boost.JSON's incremental parser feeds Values directly. Integers that fit int64 stay
// integers, all other numbers are doubles. The last of duplicate keys wins; where the caller wants to
// know of them (field validation) their paths are listed, as "spec.containers[0].name". Depth is limited. Errors say line and column.
// Writing: compact, keys in stored order, Go's HTML-safe escapes, doubles in their shortest form.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "control/base/result.h"
#include "control/object/value.h"

namespace minik::control {

// Deeper documents are refused, and patches make none of others: they could not be read back, and would exhaust the
// stack.
inline constexpr size_t kJsonDepthMax = 128;

Result<Value> parse_json(std::string_view text, std::vector<std::string>* duplicate_fields = nullptr);

void write_json(const Value& value, std::string& out);

// Writes documents that have parts in common, as the pods of a list have: what comes for the third time is copied. The
// text is that of write_json(). Parts are known by their nodes, so every document must live as long as its writer, which
// holds less than 2 MiB.
class JsonListWriter {
 public:
  JsonListWriter();
  void write(const Value& value, std::string& out);

  struct Part {
    uintptr_t node = 0;  // the identity of the one that stood here last
    std::string text;    // empty: it has come once
  };

 private:
  std::vector<Part> parts_;
};

std::string to_json(const Value& value);
// Two spaces of indentation and a final newline, as `kubectl -o json` shows.
std::string to_pretty_json(const Value& value);

}  // namespace minik::control
