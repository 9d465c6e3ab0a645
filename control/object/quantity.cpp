#include "control/object/quantity.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "control/base/text.h"

namespace minik::control {

namespace {

constexpr Int128 kNano = 1'000'000'000;
// Amounts beyond 10^21 are refused: nothing that is measured comes near, and a hundred million of
// them can be added without wrapping. Binary amounts end at int64, as in Kubernetes.
constexpr Int128 kBinaryMax = Int128{INT64_MAX} * kNano;

struct Suffix {
  std::string_view text;
  Int128 nano;
  Quantity::Format format;
};

constexpr Int128 power(Int128 base, int exponent) {
  Int128 result = 1;
  while (exponent-- > 0) result *= base;
  return result;
}

constexpr Int128 kLimit = kNano * power(10, 21);

constexpr std::array<Suffix, 16> kSuffixes{{
    {"n", 1, Quantity::Format::kDecimalSI},
    {"u", 1'000, Quantity::Format::kDecimalSI},
    {"m", 1'000'000, Quantity::Format::kDecimalSI},
    {"", kNano, Quantity::Format::kDecimalSI},
    {"k", kNano * 1'000, Quantity::Format::kDecimalSI},
    {"M", kNano * 1'000'000, Quantity::Format::kDecimalSI},
    {"G", kNano* power(10, 9), Quantity::Format::kDecimalSI},
    {"T", kNano* power(10, 12), Quantity::Format::kDecimalSI},
    {"P", kNano* power(10, 15), Quantity::Format::kDecimalSI},
    {"E", kNano* power(10, 18), Quantity::Format::kDecimalSI},
    {"Ki", kNano* power(1024, 1), Quantity::Format::kBinarySI},
    {"Mi", kNano* power(1024, 2), Quantity::Format::kBinarySI},
    {"Gi", kNano* power(1024, 3), Quantity::Format::kBinarySI},
    {"Ti", kNano* power(1024, 4), Quantity::Format::kBinarySI},
    {"Pi", kNano* power(1024, 5), Quantity::Format::kBinarySI},
    {"Ei", kNano* power(1024, 6), Quantity::Format::kBinarySI},
}};

std::string decimal(Int128 number) {
  if (number == 0) return "0";
  const bool negative = number < 0;
  std::string digits;
  for (Int128 rest = negative ? -number : number; rest > 0; rest /= 10) {
    digits += static_cast<char>('0' + static_cast<int>(rest % 10));
  }
  if (negative) digits += '-';
  std::ranges::reverse(digits);
  return digits;
}

int64_t divide_up(Int128 nano, Int128 unit) {
  Int128 whole = nano / unit;
  if (nano % unit > 0) ++whole;
  return static_cast<int64_t>(std::clamp<Int128>(whole, INT64_MIN, INT64_MAX));
}

Error malformed() {
  return Error(ErrorCode::kInvalid,
               "quantities must match the regular expression "
               "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
}

Error bad_suffix() {
  return Error(ErrorCode::kInvalid, "unable to parse quantity's suffix");
}

Error too_large() {
  return Error(ErrorCode::kInvalid, "quantities beyond 10^21 are not supported");
}

// What follows the digits: letters of a suffix, or an exponent. Says which of Kubernetes' two
// errors a text earns that is no suffix.
Error no_suffix(std::string_view text) {
  const size_t letters = std::min(text.find_first_not_of("eEinumkKMGTP"), text.size());
  std::string_view rest = text.substr(letters);
  if (!rest.empty() && (rest.front() == '-' || rest.front() == '+')) rest.remove_prefix(1);
  return rest.find_first_not_of("0123456789") == std::string_view::npos ? bad_suffix()
                                                                        : malformed();
}

// The digits before the suffix, as a whole number and the count of those after the point.
struct Digits {
  Int128 number = 0;
  int decimals = 0;
  bool lost = false;  // digits that no amount can hold were left out
};

Result<Digits> take_digits(std::string_view& rest) {
  Digits digits;
  bool seen = false, point = false;
  for (; !rest.empty(); rest.remove_prefix(1)) {
    const char c = rest.front();
    if (c == '.' && !point) {
      point = true;
      continue;
    }
    if (c < '0' || c > '9') break;
    seen = true;
    if (digits.number > kLimit) {  // further digits only matter when they are whole
      if (!point) return too_large();
      digits.lost |= c != '0';
      continue;
    }
    digits.number = digits.number * 10 + (c - '0');
    if (point) ++digits.decimals;
  }
  if (!seen) return malformed();
  return digits;
}

// number × unit ÷ 10^decimals nano-units, rounded away from zero below one.
Result<Int128> scale(Digits digits, Int128 unit) {
  while (digits.decimals > 0 && unit % 10 == 0) {
    unit /= 10;
    --digits.decimals;
  }
  while (digits.decimals > 0 && digits.number % 10 == 0 && digits.number > 0) {
    digits.number /= 10;
    --digits.decimals;
  }
  if (digits.number > 0 && unit > kLimit * 10 / digits.number) return too_large();
  Int128 nano = digits.number * unit;
  for (; digits.decimals > 0 && (nano != 0 || digits.lost); --digits.decimals) {
    digits.lost |= nano % 10 != 0;
    nano /= 10;
    if (nano == 0) break;
  }
  for (; digits.decimals < 0 && nano != 0; ++digits.decimals) {
    if (nano > kLimit) return too_large();
    nano *= 10;
  }
  if (digits.lost) ++nano;
  if (nano > kLimit) return too_large();
  return nano;
}

}  // namespace

Quantity Quantity::of(int64_t units, Format format) {
  Quantity q;
  q.nano_ = kNano * units;
  q.format_ = format;
  return q;
}

Quantity Quantity::of_milli(int64_t milli) {
  Quantity q;
  q.nano_ = Int128{1'000'000} * milli;
  return q;
}

Result<Quantity> Quantity::parse(std::string_view text) {
  std::string_view rest = text;
  bool negative = false;
  if (!rest.empty() && (rest.front() == '-' || rest.front() == '+')) {
    negative = rest.front() == '-';
    rest.remove_prefix(1);
  }
  MINIK_ASSIGN(auto digits, take_digits(rest));
  Quantity q;
  Int128 unit = kNano;
  if (const auto suffix = std::ranges::find(kSuffixes, rest, &Suffix::text);
      suffix != kSuffixes.end()) {
    unit = suffix->nano;
    q.format_ = suffix->format;
  } else if (rest.front() == 'e' || rest.front() == 'E') {
    std::string_view exponent_text = rest.substr(1);
    if (exponent_text.starts_with('+')) exponent_text.remove_prefix(1);
    const auto exponent = parse_int64(exponent_text);
    if (!exponent) return no_suffix(rest);
    constexpr int64_t kExponentMax = 100;
    if (*exponent > kExponentMax && digits.number != 0) return too_large();
    q.format_ = Format::kDecimalExponent;
    digits.decimals -= static_cast<int>(std::clamp(*exponent, -kExponentMax, kExponentMax));
  } else {
    return no_suffix(rest);
  }
  MINIK_ASSIGN(q.nano_, scale(digits, unit));
  if (q.format_ == Format::kBinarySI) q.nano_ = std::min(q.nano_, kBinaryMax);
  if (negative) q.nano_ = -q.nano_;
  return q;
}

Quantity Quantity::of_value(const Value& value) {
  if (value.is_int()) return of(value.as_int());
  if (value.is_string()) {
    if (auto parsed = parse(value.as_string())) return *parsed;
  }
  if (value.type() == ValueType::kDouble) {
    const double milli = value.as_double() * 1000;
    if (std::abs(milli) < 9e18) return of_milli(static_cast<int64_t>(std::ceil(milli)));
  }
  return {};
}

int64_t Quantity::units() const {
  return divide_up(nano_, kNano);
}
int64_t Quantity::milli() const {
  return divide_up(nano_, kNano / 1000);
}

std::string Quantity::text() const {
  if (nano_ == 0) return "0";
  Format format = format_;
  // Below 1024 or with a fraction, binary amounts are written in decimal, as Kubernetes does.
  const Int128 magnitude = nano_ < 0 ? -nano_ : nano_;
  if (format == Format::kBinarySI && (magnitude < 1024 * kNano || nano_ % kNano != 0)) {
    format = Format::kDecimalSI;
  }
  if (format == Format::kDecimalExponent) {
    Int128 mantissa = nano_;
    int exponent = -9;
    while (mantissa % 1000 == 0) {
      mantissa /= 1000;
      exponent += 3;
    }
    return exponent == 0 ? decimal(mantissa) : cat(decimal(mantissa), "e", exponent);
  }
  const Suffix* best = nullptr;
  for (const auto& suffix : kSuffixes) {
    const bool fits =
        suffix.format == format || (suffix.text.empty() && format == Format::kBinarySI);
    if (fits && nano_ % suffix.nano == 0 && (!best || suffix.nano > best->nano)) best = &suffix;
  }
  if (!best) best = &kSuffixes[0];
  return cat(decimal(nano_ / best->nano), best->text);
}

Quantity Quantity::operator+(const Quantity& other) const {
  Quantity q = zero() ? other : *this;
  q.nano_ = nano_ + other.nano_;
  return q;
}

Quantity Quantity::operator-(const Quantity& other) const {
  Quantity q = *this;
  q.nano_ = nano_ - other.nano_;
  return q;
}

}  // namespace minik::control
