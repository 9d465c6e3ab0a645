// resource.Quantity: exact decimal amounts with SI ("m", "k", "M") or binary ("Ki", "Mi") suffixes, or an
// exponent ("1e3"). Kept as a count of nano-units in 128 bits. Finer text is rounded away from zero,
// binary amounts end at int64, both as in Kubernetes; amounts beyond 10^21 are refused, which Kubernetes
// would take. Errors carry Kubernetes' sentences.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "control/base/int128.h"
#include "control/base/result.h"
#include "control/object/value.h"

namespace minik::control {

class Quantity {
 public:
  enum class Format : uint8_t { kDecimalSI, kBinarySI, kDecimalExponent };

  Quantity() = default;
  static Quantity of(int64_t units, Format format = Format::kDecimalSI);
  static Quantity of_milli(int64_t milli);
  static Result<Quantity> parse(std::string_view text);
  // A string or a number in a document; anything else (or bad text) is zero: the schema has validated.
  static Quantity of_value(const Value& value);

  // Rounded up, as Kubernetes' Value() and MilliValue(); saturating at int64.
  int64_t units() const;
  int64_t milli() const;
  // The canonical text: the largest suffix that leaves no fraction.
  std::string text() const;

  bool zero() const { return nano_ == 0; }
  bool negative() const { return nano_ < 0; }
  Quantity operator+(const Quantity& other) const;
  Quantity operator-(const Quantity& other) const;
  friend auto operator<=>(const Quantity& a, const Quantity& b) { return a.nano_ <=> b.nano_; }
  friend bool operator==(const Quantity& a, const Quantity& b) { return a.nano_ == b.nano_; }

 private:
  Int128 nano_ = 0;
  Format format_ = Format::kDecimalSI;
};

}  // namespace minik::control
