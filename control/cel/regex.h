// Regular expressions in RE2's syntax: time linear in the text, memory bounded, so that no pattern
// of a user's can stall the control plane. The only file that knows the RE2 library is regex.cpp.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "control/base/result.h"

namespace minik::control::cel {

class Regex {
 public:
  static Result<std::shared_ptr<const Regex>> compile(std::string_view pattern);
  ~Regex();
  Regex(const Regex&) = delete;
  Regex& operator=(const Regex&) = delete;

  // Anywhere in the text.
  bool matches(std::string_view text) const;
  // The first match at or after `from`; it points into the text.
  std::optional<std::string_view> find(std::string_view text, size_t from) const;

 private:
  struct Compiled;
  explicit Regex(std::unique_ptr<Compiled> compiled);
  std::unique_ptr<Compiled> compiled_;
};

}  // namespace minik::control::cel
