// Certificate requests: once as the PEM that clients send, and once with the bytes as what stands inside it.
#include "control/schema/certificate_request.h"

#include <cstdint>

#include "control/base/check.h"
#include "control/base/text.h"
#include "control/base/utf8.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace minik;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  (void)control::read_certificate_subject(bytes);
  const auto subject = control::read_certificate_subject(
      cat("-----BEGIN CERTIFICATE REQUEST-----\n", to_base64(bytes), "\n-----END CERTIFICATE REQUEST-----\n"));
  if (!subject) {
    CHECK(subject.error().code == ErrorCode::kInvalid) << subject.error().message;
    return 0;
  }
  size_t length = 0;
  for (const auto& names : {subject->common_names, subject->organizations}) {
    for (const auto& name : names) {
      CHECK(is_utf8(name)) << quoted(name);
      length += name.size();
    }
  }
  CHECK(length <= size) << length << " of " << size;
  return 0;
}
