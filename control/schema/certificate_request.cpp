#include "control/schema/certificate_request.h"

#include <cstdint>
#include <optional>

#include "control/base/text.h"
#include "control/base/utf8.h"

namespace minik::control {

namespace {

// DER (X.690): a tag, a definite length, and as many bytes.
constexpr uint8_t kInteger = 0x02, kObjectId = 0x06, kSequence = 0x30, kSet = 0x31;
constexpr uint8_t kUtf8 = 0x0c, kNumeric = 0x12, kPrintable = 0x13, kT61 = 0x14, kIa5 = 0x16, kBmp = 0x1e;
constexpr std::string_view kCommonName = "\x55\x04\x03", kOrganization = "\x55\x04\x0a";

struct Element {
  uint8_t tag = 0;
  std::string_view content;
};

// Takes the first element off `bytes`; nothing when it is cut short, its length is not in DER, or its tag is longer than a
// byte, as none is in a request's subject.
std::optional<Element> next(std::string_view& bytes) {
  const auto byte = [&](size_t at) { return static_cast<uint8_t>(bytes[at]); };
  constexpr uint8_t kLongTag = 0x1f;
  if (bytes.size() < 2 || (byte(0) & kLongTag) == kLongTag) return std::nullopt;
  size_t length = byte(1), head = 2;
  if (length >= 0x80) {
    constexpr size_t kLengthBytesMax = 4;
    const size_t digits = length & 0x7f;
    if (digits == 0 || digits > kLengthBytesMax || bytes.size() < 2 + digits) return std::nullopt;
    length = 0;
    for (size_t i = 0; i < digits; ++i) length = length << 8 | byte(2 + i);
    // The shortest form is the only one.
    if (length < 0x80 || byte(2) == 0) return std::nullopt;
    head += digits;
  }
  if (length > bytes.size() - head) return std::nullopt;
  const Element element{byte(0), bytes.substr(head, length)};
  bytes.remove_prefix(head + length);
  return element;
}

std::optional<std::string_view> next(std::string_view& bytes, uint8_t tag) {
  const auto element = next(bytes);
  if (!element || element->tag != tag) return std::nullopt;
  return element->content;
}

std::optional<std::string> text_of(const Element& element) {
  const std::string_view content = element.content;
  switch (element.tag) {
    case kUtf8:
    case kNumeric:
    case kPrintable:
    case kT61:
    case kIa5:
      // What is no text here could be one for who takes it for Latin-1.
      if (!is_utf8(content)) return std::nullopt;
      return std::string(content);
    case kBmp: {
      // Two bytes a character; one that is not ASCII is nobody's name here.
      std::string text;
      if (content.size() % 2 != 0) return std::nullopt;
      for (size_t i = 0; i < content.size(); i += 2) {
        if (content[i] != 0 || static_cast<uint8_t>(content[i + 1]) >= 0x80) return std::nullopt;
        text += content[i + 1];
      }
      return text;
    }
    default: return std::nullopt;
  }
}

// Takes the line off that `text` begins with, without what is white at its end.
std::string_view next_line(std::string_view& text) {
  const size_t end = text.find('\n');
  std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  while (!line.empty() && (line.back() == ' ' || line.back() == '\t' || line.back() == '\r')) line.remove_suffix(1);
  return line;
}

// The only block, which must be of that type. Readers of PEM differ in what they skip and where they begin: where there is
// one beginning, a whole line, and nothing but digits up to its end, they all read the same.
std::optional<std::string> pem_block(std::string_view text, std::string_view type) {
  constexpr std::string_view kBegin = "-----BEGIN", kDashes = "-----";
  const size_t begin = text.find(kBegin);
  if (begin == std::string_view::npos || text.find(kBegin, begin + 1) != std::string_view::npos) return std::nullopt;
  if (begin != 0 && text[begin - 1] != '\n') return std::nullopt;
  text.remove_prefix(begin);
  if (next_line(text) != cat(kBegin, " ", type, kDashes)) return std::nullopt;
  const std::string end = cat("-----END ", type, kDashes);
  std::string digits;
  while (!text.empty()) {
    const std::string_view line = next_line(text);
    if (line == end) return from_base64(digits);
    for (const char c : line) {
      if (c != ' ' && c != '\t') digits += c;
    }
  }
  return std::nullopt;
}

// RDNSequence: a sequence of sets of (type, value).
bool read_names(std::string_view names, CertificateSubject& subject) {
  while (!names.empty()) {
    auto set = next(names, kSet);
    if (!set) return false;
    while (!set->empty()) {
      auto pair = next(*set, kSequence);
      const auto type = pair ? next(*pair, kObjectId) : std::nullopt;
      const auto value = type ? next(*pair) : std::nullopt;
      if (!value || !pair->empty()) return false;
      if (*type != kCommonName && *type != kOrganization) continue;
      auto text = text_of(*value);
      if (!text) return false;
      (*type == kCommonName ? subject.common_names : subject.organizations).push_back(*std::move(text));
    }
  }
  return true;
}

}  // namespace

Result<CertificateSubject> read_certificate_subject(std::string_view pem) {
  const auto block = pem_block(pem, "CERTIFICATE REQUEST");
  if (!block) return Error(ErrorCode::kInvalid, "PEM block type must be CERTIFICATE REQUEST");
  std::string_view bytes = *block;
  auto request = next(bytes, kSequence);
  auto info = request ? next(*request, kSequence) : std::nullopt;
  const auto version = info ? next(*info, kInteger) : std::nullopt;
  const auto names = version ? next(*info, kSequence) : std::nullopt;
  CertificateSubject subject;
  if (!names || !read_names(*names, subject)) return Error(ErrorCode::kInvalid, "asn1: structure error: not a certificate request");
  return subject;
}

}  // namespace minik::control
