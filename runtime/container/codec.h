// Writer and Reader: values one after another, strings with their length in front. For the small files
// and messages between engine and shim, which must not pull in a JSON library. Bounded by the input: a
// reader that runs out or meets nonsense fails once and for all, and answers empty values from then on.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace minik::runtime {

class Writer {
 public:
  Writer& put(std::string_view text) {
    put(static_cast<int64_t>(text.size()));
    bytes_ += text;
    return *this;
  }
  Writer& put(int64_t number) {
    bytes_.append(reinterpret_cast<const char*>(&number), sizeof number);
    return *this;
  }
  Writer& put(const std::vector<std::string>& texts) {
    put(static_cast<int64_t>(texts.size()));
    for (const auto& text : texts) put(std::string_view(text));
    return *this;
  }
  Writer& put(const std::vector<int64_t>& numbers) {
    put(static_cast<int64_t>(numbers.size()));
    for (const auto number : numbers) put(number);
    return *this;
  }
  std::string take() && { return std::move(bytes_); }

 private:
  std::string bytes_;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  int64_t number() {
    int64_t value = 0;
    if (rest_.size() < sizeof value) return fail();
    std::memcpy(&value, rest_.data(), sizeof value);
    rest_.remove_prefix(sizeof value);
    return value;
  }
  bool flag() { return number() != 0; }
  std::string text() {
    const int64_t size = number();
    if (size < 0 || static_cast<uint64_t>(size) > rest_.size()) {
      fail();
      return {};
    }
    std::string value(rest_.substr(0, static_cast<size_t>(size)));
    rest_.remove_prefix(static_cast<size_t>(size));
    return value;
  }
  std::vector<std::string> texts() {
    std::vector<std::string> values;
    for (int64_t left = count(); left > 0 && ok_; --left) values.push_back(text());
    return values;
  }
  std::vector<int64_t> numbers() {
    std::vector<int64_t> values;
    for (int64_t left = count(); left > 0 && ok_; --left) values.push_back(number());
    return values;
  }
  // Every element takes at least eight bytes, so a count beyond that is nonsense.
  int64_t count() {
    const int64_t n = number();
    return n < 0 || static_cast<uint64_t>(n) > rest_.size() / sizeof(int64_t) ? fail() : n;
  }
  // Everything was there and nothing is left.
  bool finished() const { return ok_ && rest_.empty(); }
  bool ok() const { return ok_; }

 private:
  int64_t fail() {
    ok_ = false;
    rest_ = {};
    return 0;
  }
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace minik::runtime
