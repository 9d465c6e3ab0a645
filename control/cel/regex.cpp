#include "control/cel/regex.h"

#include <re2/re2.h>

#include "control/base/text.h"

namespace minik::control::cel {

namespace {

// Of one compiled pattern; what needs more is refused.
constexpr int64_t kPatternMemoryMax = 1 << 20;

RE2::Options options() {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kPatternMemoryMax);
  return options;
}

re2::StringPiece piece(std::string_view text) {
  return {text.data(), text.size()};
}

}  // namespace

struct Regex::Compiled {
  explicit Compiled(std::string_view pattern) : re2(piece(pattern), options()) {}
  RE2 re2;
};

Regex::Regex(std::unique_ptr<Compiled> compiled) : compiled_(std::move(compiled)) {}
Regex::~Regex() = default;

Result<std::shared_ptr<const Regex>> Regex::compile(std::string_view pattern) {
  auto compiled = std::make_unique<Compiled>(pattern);
  if (!compiled->re2.ok()) {
    return Error(ErrorCode::kInvalid, cat("error parsing regexp: ", compiled->re2.error(), ": `",
                                          compiled->re2.error_arg(), "`"));
  }
  return std::shared_ptr<const Regex>(new Regex(std::move(compiled)));
}

bool Regex::matches(std::string_view text) const {
  return RE2::PartialMatch(piece(text), compiled_->re2);
}

std::optional<std::string_view> Regex::find(std::string_view text, size_t from) const {
  re2::StringPiece found;
  if (from > text.size()) return std::nullopt;
  if (!compiled_->re2.Match(piece(text), from, text.size(), RE2::UNANCHORED, &found, 1))
    return std::nullopt;
  return std::string_view(found.data(), found.size());
}

}  // namespace minik::control::cel
