// Digest: the name of content, `sha256:<64 lowercase hex>`, and the hash that makes it.
//
// Only sha256: it is what every registry and tool writes. Another algorithm of the OCI image
// specification (sha512) is refused with a sentence that says so. A Digest that exists is
// well-formed; the default one is empty and names nothing. Values are immutable and may be shared
// between threads; a Sha256 belongs to one thread at a time.
#pragma once

#include <compare>
#include <memory>
#include <string>
#include <string_view>

#include "control/base/result.h"

namespace minik::runtime {

class Digest {
 public:
  Digest() = default;

  // kInvalid when the text is not a sha256 digest.
  static Result<Digest> parse(std::string_view text);
  // From 64 hexadecimal digits without the algorithm.
  static Result<Digest> from_hex(std::string_view hex);
  static Digest of(std::string_view bytes);

  bool empty() const { return text_.empty(); }
  const std::string& text() const { return text_; }  // "sha256:<hex>"
  std::string_view hex() const { return empty() ? "" : std::string_view(text_).substr(7); }

  auto operator<=>(const Digest&) const = default;
  bool operator==(const Digest&) const = default;

 private:
  explicit Digest(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

// The running hash of a stream.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void update(std::string_view bytes);
  Digest finish();  // once

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace minik::runtime
