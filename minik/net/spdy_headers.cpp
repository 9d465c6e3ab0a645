#include "minik/net/spdy_headers.h"

#include <zlib.h>

#include <algorithm>
#include <map>

#include "control/base/check.h"
#include "control/base/text.h"

namespace minik {
namespace {

// A small window keeps an idle connection at a few KiB; it still spans the dictionary.
constexpr int kWindowBits = 11;
constexpr int kMemoryLevel = 4;

constexpr std::string_view kDictionaryWords[] = {"options",
                                                 "head",
                                                 "post",
                                                 "put",
                                                 "delete",
                                                 "trace",
                                                 "accept",
                                                 "accept-charset",
                                                 "accept-encoding",
                                                 "accept-language",
                                                 "accept-ranges",
                                                 "age",
                                                 "allow",
                                                 "authorization",
                                                 "cache-control",
                                                 "connection",
                                                 "content-base",
                                                 "content-encoding",
                                                 "content-language",
                                                 "content-length",
                                                 "content-location",
                                                 "content-md5",
                                                 "content-range",
                                                 "content-type",
                                                 "date",
                                                 "etag",
                                                 "expect",
                                                 "expires",
                                                 "from",
                                                 "host",
                                                 "if-match",
                                                 "if-modified-since",
                                                 "if-none-match",
                                                 "if-range",
                                                 "if-unmodified-since",
                                                 "last-modified",
                                                 "location",
                                                 "max-forwards",
                                                 "pragma",
                                                 "proxy-authenticate",
                                                 "proxy-authorization",
                                                 "range",
                                                 "referer",
                                                 "retry-after",
                                                 "server",
                                                 "te",
                                                 "trailer",
                                                 "transfer-encoding",
                                                 "upgrade",
                                                 "user-agent",
                                                 "vary",
                                                 "via",
                                                 "warning",
                                                 "www-authenticate",
                                                 "method",
                                                 "get",
                                                 "status",
                                                 "200 OK",
                                                 "version",
                                                 "HTTP/1.1",
                                                 "url",
                                                 "public",
                                                 "set-cookie",
                                                 "keep-alive",
                                                 "origin"};

constexpr std::string_view kDictionaryTail =
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request"
    "401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented"
    "503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 "
    "Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,"
    "application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,"
    "deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.";

void put_u32(std::string& out, size_t number) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(number >> shift);
}

Bytef* bytes_of(std::string_view text) {
  return const_cast<Bytef*>(reinterpret_cast<const Bytef*>(text.data()));
}

// Reads lengths and texts one after the other out of an inflated block.
class BlockReader {
 public:
  explicit BlockReader(std::string_view block) : left_(block) {}

  std::optional<uint32_t> number() {
    if (left_.size() < 4) return std::nullopt;
    uint32_t value = 0;
    for (int i = 0; i < 4; ++i) value = value << 8 | static_cast<uint8_t>(left_[size_t(i)]);
    left_.remove_prefix(4);
    return value;
  }
  std::optional<std::string_view> text() {
    const auto size = number();
    if (!size || *size > left_.size()) return std::nullopt;
    const std::string_view value = left_.substr(0, *size);
    left_.remove_prefix(*size);
    return value;
  }
  bool at_end() const { return left_.empty(); }

 private:
  std::string_view left_;
};

std::optional<SpdyHeaders> parse_block(std::string_view block) {
  BlockReader reader(block);
  const auto count = reader.number();
  if (!count) return std::nullopt;
  SpdyHeaders headers;
  for (uint32_t i = 0; i < *count; ++i) {
    const auto name = reader.text();
    const auto values = reader.text();
    if (!name || name->empty() || !values) return std::nullopt;
    for (const std::string_view value : split(*values, '\0')) {
      headers.emplace_back(to_lower(*name), value);
    }
  }
  if (!reader.at_end()) return std::nullopt;
  return headers;
}

}  // namespace

const std::string& spdy_dictionary() {
  static const std::string dictionary = [] {
    std::string text;
    for (const std::string_view word : kDictionaryWords) {
      put_u32(text, word.size());
      text += word;
    }
    return text.append(kDictionaryTail);
  }();
  return dictionary;
}

SpdyHeaderWriter::SpdyHeaderWriter() : zlib_(std::make_unique<z_stream>()) {
  CHECK(deflateInit2(zlib_.get(), Z_DEFAULT_COMPRESSION, Z_DEFLATED, kWindowBits, kMemoryLevel,
                     Z_DEFAULT_STRATEGY) == Z_OK);
  const std::string& dictionary = spdy_dictionary();
  CHECK(deflateSetDictionary(zlib_.get(), bytes_of(dictionary),
                             static_cast<uInt>(dictionary.size())) == Z_OK);
}

SpdyHeaderWriter::~SpdyHeaderWriter() {
  deflateEnd(zlib_.get());
}

void SpdyHeaderWriter::write(const SpdyHeaders& headers, std::string& out) {
  // The block names each header once; several values stand side by side behind a NUL.
  std::map<std::string, std::string> merged;
  for (const auto& [name, value] : headers) {
    const auto [at, added] = merged.emplace(to_lower(name), value);
    if (!added) at->second.append(1, '\0').append(value);
  }
  std::string block;
  put_u32(block, merged.size());
  for (const auto& [name, value] : merged) {
    put_u32(block, name.size());
    block += name;
    put_u32(block, value.size());
    block += value;
  }
  zlib_->next_in = bytes_of(block);
  zlib_->avail_in = static_cast<uInt>(block.size());
  do {
    char piece[1024];
    zlib_->next_out = reinterpret_cast<Bytef*>(piece);
    zlib_->avail_out = sizeof piece;
    deflate(zlib_.get(), Z_SYNC_FLUSH);
    out.append(piece, sizeof piece - zlib_->avail_out);
  } while (zlib_->avail_out == 0);
}

SpdyHeaderReader::SpdyHeaderReader() : zlib_(std::make_unique<z_stream>()) {
  CHECK(inflateInit(zlib_.get()) == Z_OK);
}

SpdyHeaderReader::~SpdyHeaderReader() {
  inflateEnd(zlib_.get());
}

std::optional<SpdyHeaders> SpdyHeaderReader::read(std::string_view block, size_t bytes_max) {
  std::string plain;
  zlib_->next_in = bytes_of(block);
  zlib_->avail_in = static_cast<uInt>(block.size());
  for (;;) {
    char piece[4096];
    zlib_->next_out = reinterpret_cast<Bytef*>(piece);
    zlib_->avail_out = sizeof piece;
    const int result = inflate(zlib_.get(), Z_SYNC_FLUSH);
    plain.append(piece, sizeof piece - zlib_->avail_out);
    if (plain.size() > bytes_max) return std::nullopt;
    if (result == Z_NEED_DICT) {
      const std::string& dictionary = spdy_dictionary();
      if (inflateSetDictionary(zlib_.get(), bytes_of(dictionary),
                               static_cast<uInt>(dictionary.size())) != Z_OK) {
        return std::nullopt;
      }
      continue;
    }
    if (result == Z_BUF_ERROR || (result == Z_OK && zlib_->avail_out != 0)) break;
    if (result != Z_OK) return std::nullopt;
  }
  if (zlib_->avail_in != 0) return std::nullopt;
  return parse_block(plain);
}

}  // namespace minik
