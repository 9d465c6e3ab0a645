#include "control/base/result.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace minik {
namespace {

Result<int> half(int n) {
  if (n % 2 != 0) return Error(ErrorCode::kInvalid, "odd");
  return n / 2;
}

Result<int> quarter(int n) {
  MINIK_ASSIGN(const int h, half(n));
  return half(h);
}

TEST(Result, CarriesValueOrError) {
  EXPECT_EQ(*quarter(8), 2);
  EXPECT_EQ(quarter(6).error().code, ErrorCode::kInvalid);
  EXPECT_EQ(Error(ErrorCode::kInvalid, "odd").in("quarter").message, "quarter: odd");
}

TEST(Result, KnowsReasonAndHttpStatusOfEachCode) {
  EXPECT_EQ(code_reason(ErrorCode::kTooManyRequests), "TooManyRequests");
  EXPECT_EQ(code_http(ErrorCode::kInvalid), 422);
  EXPECT_EQ(code_from_reason("Expired"), ErrorCode::kExpired);
  EXPECT_EQ(error_from_errno(ENOENT, "open x").code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace minik
