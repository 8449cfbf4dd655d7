#include "libimage/base/secret.h"

#include <sstream>
#include <type_traits>

#include <gtest/gtest.h>

namespace lade {
namespace {

template <typename T>
concept Printable = requires(std::ostream& out, const T& value) {
  out << value;
};
template <typename T>
concept Joinable = requires(const T& value) {
  cat(value);
};

TEST(Secret, HasNoWayIntoText) {
  EXPECT_FALSE((std::is_convertible_v<Secret, std::string>));
  EXPECT_FALSE((std::is_convertible_v<Secret, std::string_view>));
  EXPECT_FALSE(Printable<Secret>);
}

TEST(Secret, IsReadOnlyByName) {
  const Secret secret("password");
  EXPECT_EQ(secret.reveal(), "password");
  EXPECT_FALSE(secret.empty());
  EXPECT_TRUE(Secret().empty());
  EXPECT_EQ(secret, Secret("password"));
}

TEST(Secret, CanBeMovedAndCopied) {
  Secret first("a longer password than the small string buffer holds");
  const Secret copy = first;
  const Secret moved = std::move(first);
  EXPECT_EQ(moved, copy);
}

}  // namespace
}  // namespace lade
