#include "control/calendar/time_zone.h"

#include <algorithm>
#include <chrono>

#include "control/base/text.h"
#include "control/calendar/days.h"

namespace minik::control {

namespace {

int64_t days_of(std::chrono::sys_days day) {
  return day.time_since_epoch().count();
}

// Big-endian numbers out of a byte string; after the end it reads zeros and says so.
class Bytes {
 public:
  explicit Bytes(std::string_view bytes) : bytes_(bytes) {}

  int64_t number(size_t width) {
    const std::string_view digits = take(width);
    uint64_t value = 0;
    for (const char digit : digits) value = value << 8 | static_cast<unsigned char>(digit);
    return width == 4 ? static_cast<int32_t>(value) : static_cast<int64_t>(value);
  }
  std::string_view take(size_t count) {
    if (count > bytes_.size()) {
      ended_ = true;
      return {};
    }
    const std::string_view taken = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    return taken;
  }
  std::string_view rest() const { return bytes_; }
  bool ended() const { return ended_; }

 private:
  std::string_view bytes_;
  bool ended_ = false;
};

struct Header {
  char version = 0;
  size_t utc_flags = 0, standard_flags = 0, leaps = 0, times = 0, types = 0, letters = 0;

  size_t data_bytes(size_t width) const {
    return times * (width + 1) + types * 6 + letters + leaps * (width + 4) + standard_flags +
           utc_flags;
  }
};

Result<Header> read_header(Bytes& bytes) {
  constexpr size_t kReserved = 15;
  Header header;
  if (bytes.take(4) != "TZif") return Error(ErrorCode::kInvalid, "no time zone file");
  const std::string_view version = bytes.take(1);
  header.version = version.empty() ? '\0' : version[0];
  bytes.take(kReserved);
  for (size_t* count : {&header.utc_flags, &header.standard_flags, &header.leaps, &header.times,
                        &header.types, &header.letters}) {
    *count = static_cast<size_t>(static_cast<uint32_t>(bytes.number(4)));
  }
  if (bytes.ended()) return Error(ErrorCode::kInvalid, "the time zone file is cut off");
  return header;
}

}  // namespace

// Reads POSIX' TZ text: "CET-1CEST,M3.5.0,M10.5.0/3".
class TimeZone::RuleReader {
 public:
  explicit RuleReader(std::string_view text) : text_(text) {}

  Result<Rule> read() {
    Rule rule;
    name();
    rule.standard = -time();
    if (!text_.empty()) {
      rule.has_summer = true;
      name();
      rule.summer = text_.starts_with(',') ? rule.standard + 3600 : -time();
      rule.begin = day();
      rule.end = day();
    }
    if (failed_ || !text_.empty()) {
      return Error(ErrorCode::kInvalid, "the rule of the time zone cannot be read");
    }
    return rule;
  }

 private:
  static bool is_letter(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }
  static bool is_digit(char c) { return c >= '0' && c <= '9'; }

  bool skip(char expected) {
    if (!text_.starts_with(expected)) return false;
    text_.remove_prefix(1);
    return true;
  }

  void name() {
    if (skip('<')) {
      const size_t end = text_.find('>');
      failed_ = failed_ || end == std::string_view::npos || end == 0;
      text_.remove_prefix(end == std::string_view::npos ? text_.size() : end + 1);
      return;
    }
    size_t letters = 0;
    while (letters < text_.size() && is_letter(text_[letters])) ++letters;
    failed_ = failed_ || letters < 3;
    text_.remove_prefix(letters);
  }

  int64_t number(int64_t least, int64_t most) {
    int64_t value = 0;
    size_t digits = 0;
    while (digits < 3 && digits < text_.size() && is_digit(text_[digits])) {
      value = value * 10 + (text_[digits++] - '0');
    }
    failed_ = failed_ || digits == 0 || value < least || value > most;
    text_.remove_prefix(digits);
    return value;
  }

  // [+-]hours[:minutes[:seconds]], up to a week of hours as the rules of some zones need.
  int64_t time() {
    const bool negative = skip('-');
    if (!negative) skip('+');
    int64_t seconds = number(0, 167) * 3600;
    if (skip(':')) {
      seconds += number(0, 59) * 60;
      if (skip(':')) seconds += number(0, 59);
    }
    return negative ? -seconds : seconds;
  }

  YearDay day() {
    YearDay day;
    failed_ = failed_ || !skip(',');
    if (skip('M')) {
      day.month = number(1, 12);
      failed_ = failed_ || !skip('.');
      day.week = number(1, 5);
      failed_ = failed_ || !skip('.');
      day.day = number(0, 6);
    } else if (skip('J')) {
      day.form = YearDay::Form::kJulian;
      day.day = number(1, 365);
    } else {
      day.form = YearDay::Form::kDayOfYear;
      day.day = number(0, 365);
    }
    day.time = skip('/') ? time() : 2 * 3600;
    return day;
  }

  std::string_view text_;
  bool failed_ = false;
};

// In local seconds since the epoch.
int64_t TimeZone::YearDay::in(int64_t year) const {
  using namespace std::chrono;
  const std::chrono::year y(static_cast<int>(year));
  const int64_t first = days_of(sys_days(y / January / 1));
  switch (form) {
    case Form::kJulian:
      return (first + day - 1 + (y.is_leap() && day >= 60 ? 1 : 0)) * kDaySeconds + time;
    case Form::kDayOfYear:
      return (first + day) * kDaySeconds + time;
    case Form::kWeekday:
      break;
  }
  const std::chrono::month m(static_cast<unsigned>(month));
  const weekday wanted(static_cast<unsigned>(day));
  const sys_days found = week == 5 ? sys_days(y / m / wanted[last])
                                   : sys_days(y / m / wanted[static_cast<unsigned>(week)]);
  return days_of(found) * kDaySeconds + time;
}

TimeZone::Period TimeZone::Rule::period_at(int64_t moment) const {
  if (!has_summer) return {standard, std::nullopt};
  const int64_t year = static_cast<int>(date_of(floor_divide(moment + standard, kDaySeconds)).year());
  std::array<Change, 6> changes;
  size_t count = 0;
  for (int64_t y = year - 1; y <= year + 1; ++y) {
    changes[count++] = {begin.in(y)-standard, summer};
    changes[count++] = {end.in(y)-summer, standard};
  }
  std::ranges::sort(changes, {}, &Change::at);
  const auto next = std::ranges::upper_bound(changes, moment, {}, &Change::at);
  // The years around it leave changes on both sides, but for rules whose times reach out of their
  // year.
  if (next == changes.begin()) return {standard, next->at};
  const int64_t offset = std::prev(next)->offset;
  if (next == changes.end()) return {offset, moment + kDaySeconds};
  return {offset, next->at};
}

Result<TimeZone> TimeZone::parse(std::string_view tzif) {
  Bytes bytes(tzif);
  MINIK_ASSIGN(Header header, read_header(bytes));
  size_t width = 4;
  if (header.version >= '2') {
    // The first block is for readers of 32 bits; the same follows with 64.
    bytes.take(header.data_bytes(4));
    MINIK_ASSIGN(header, read_header(bytes));
    width = 8;
  }
  if (header.leaps > 0) return Error(ErrorCode::kInvalid, "the time zone counts leap seconds");
  if (header.types == 0 || bytes.rest().size() < header.data_bytes(width)) {
    return Error(ErrorCode::kInvalid, "the time zone file is cut off");
  }
  TimeZone zone;
  for (size_t i = 0; i < header.times; ++i) zone.changes_.push_back({bytes.number(width), 0});
  const std::string_view type_of = bytes.take(header.times);
  std::vector<int64_t> offsets;
  for (size_t i = 0; i < header.types; ++i) {
    const int64_t offset = bytes.number(4);
    // RFC 9636 keeps them within a day and a bit; beyond, the arithmetic of dates could overflow.
    if (offset < -kDaySeconds * 2 || offset > kDaySeconds * 2) {
      return Error(ErrorCode::kInvalid, "the time zone is too far from UTC");
    }
    offsets.push_back(offset);
    bytes.take(2);
  }
  zone.first_offset_ = offsets[0];
  for (size_t i = 0; i < header.times; ++i) {
    const size_t type = static_cast<unsigned char>(type_of[i]);
    if (type >= offsets.size() || (i > 0 && zone.changes_[i].at <= zone.changes_[i - 1].at)) {
      return Error(ErrorCode::kInvalid, "the changes of the time zone are not in order");
    }
    zone.changes_[i].offset = offsets[type];
  }
  bytes.take(header.letters + header.standard_flags + header.utc_flags);
  if (width == 4) return zone;
  std::string_view footer = bytes.rest();
  if (!footer.starts_with('\n')) return zone;
  footer.remove_prefix(1);
  footer = footer.substr(0, footer.find('\n'));
  if (!footer.empty()) {
    MINIK_ASSIGN(zone.rule_, RuleReader(footer).read());
  }
  return zone;
}

TimeZone::Period TimeZone::period_at(int64_t moment) const {
  const auto next = std::ranges::upper_bound(changes_, moment, {}, &Change::at);
  if (next == changes_.end() && rule_) return rule_->period_at(moment);
  const int64_t offset = next == changes_.begin() ? first_offset_ : std::prev(next)->offset;
  if (next == changes_.end()) return {offset, std::nullopt};
  return {offset, next->at};
}

bool TimeZones::is_name(std::string_view name) {
  if (name.empty() || name.size() > 255 || name == "Local") return false;
  for (const auto part : split(name, '/')) {
    if (part.empty() || part.starts_with('.')) return false;
    for (const char c : part) {
      const bool allowed = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '+' || c == '.';
      if (!allowed) return false;
    }
  }
  return true;
}

Result<TimeZone> TimeZones::find(std::string_view name) {
  if (name == "UTC" || name == "Etc/UTC") return TimeZone();
  if (const auto known = known_.find(name); known != known_.end()) return known->second;
  const Error unknown(ErrorCode::kNotFound, cat("unknown time zone ", name));
  if (!is_name(name)) return unknown;
  if (!source_) {
    return Error(ErrorCode::kNotFound, cat(unknown.message, ": only UTC is known here"));
  }
  MINIK_ASSIGN(const std::string bytes, source_(name));
  MINIK_ASSIGN(TimeZone zone, TimeZone::parse(bytes));
  return known_.emplace(name, std::move(zone)).first->second;
}

}  // namespace minik::control
