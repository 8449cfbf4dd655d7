#include "libimage/base/error.h"

#include <cerrno>
#include <thread>

#include <gtest/gtest.h>

namespace lade {
namespace {

TEST(Error, CarriesCodeMessageAndDetail) {
  const Error error(Errc::rate_limited, "too many", HttpDetail{.status = 429});
  EXPECT_EQ(error.code(), Errc::rate_limited);
  EXPECT_STREQ(error.what(), "too many");
  EXPECT_EQ(std::get<HttpDetail>(error.detail()).status, 429);
  EXPECT_TRUE(std::holds_alternative<std::monostate>(Error(Errc::io, "x").detail()));
}

TEST(Error, GainsContextInACopy) {
  const Error error(Errc::not_found, "no such tag", ErrnoDetail{2});
  const Error wrapped = error.in("copy").in("sync");
  EXPECT_STREQ(wrapped.what(), "sync: copy: no such tag");
  EXPECT_EQ(wrapped.code(), Errc::not_found);
  EXPECT_EQ(std::get<ErrnoDetail>(wrapped.detail()).value, 2);
  EXPECT_STREQ(error.what(), "no such tag");
}

TEST(Error, WithContextAddsItOnceAndReturnsTheValue) {
  EXPECT_EQ(with_context([] { return "never"; }, [] { return 7; }), 7);
  int described = 0;
  try {
    with_context(
        [&] {
          ++described;
          return std::string("outer");
        },
        [] { throw Error(Errc::io, "inner"); });
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(), "outer: inner");
  }
  EXPECT_EQ(described, 1);
}

TEST(Error, WithContextLetsOtherExceptionsPass) {
  EXPECT_THROW(with_context([] { return "x"; }, [] { throw Cancelled(); }), Cancelled);
  EXPECT_THROW(with_context([] { return "x"; }, [] { throw std::bad_alloc(); }), std::bad_alloc);
}

TEST(Error, CancelledIsNotAnError) {
  EXPECT_FALSE((std::is_base_of_v<Error, Cancelled>));
  EXPECT_STREQ(Cancelled().what(), "cancelled");
}

TEST(Error, StaysFinalInItsContext) {
  const Error error(Errc::unavailable, "503");
  EXPECT_FALSE(error.is_final());
  const Error final = error.as_final().in("push");
  EXPECT_TRUE(final.is_final());
  EXPECT_STREQ(final.what(), "push: 503");
  EXPECT_FALSE(error.is_final());
}

TEST(Error, ErrnoChoosesTheCode) {
  const struct {
    int value;
    Errc code;
  } table[] = {{ENOENT, Errc::not_found}, {EEXIST, Errc::already_exists},
               {EACCES, Errc::denied},    {EPERM, Errc::denied},
               {ENOSPC, Errc::io},        {EIO, Errc::io}};
  for (const auto& [value, code] : table) {
    try {
      throw_errno("open 'x'", value);
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), code);
      EXPECT_EQ(std::get<ErrnoDetail>(e.detail()).value, value);
    }
  }
  errno = ENOENT;
  try {
    throw_errno("open 'x'");
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(), "open 'x': no such file or directory");
  }
}

TEST(Error, MayBeSharedByThreads) {
  std::exception_ptr shared;
  try {
    throw Error(Errc::io, "broken");
  } catch (...) {
    shared = std::current_exception();
  }
  const auto wrap = [&] {
    for (int i = 0; i < 1000; ++i) {
      try {
        with_context([] { return "work"; }, [&] { std::rethrow_exception(shared); });
      } catch (const Error& e) {
        EXPECT_STREQ(e.what(), "work: broken");
      }
    }
  };
  std::thread other(wrap);
  wrap();
  other.join();
}

}  // namespace
}  // namespace lade
