#pragma once
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "libimage/base/error.h"

namespace lade::oci {

/// A text that must be refused, with the code and words of the error.
struct Bad {
  std::string_view text;
  std::string_view message;  ///< a part of it
  Errc code = Errc::invalid_content;
};

template <typename Parse>
void expect_refused(const Bad& bad, const Parse& parse) {
  SCOPED_TRACE(bad.text.substr(0, 300));
  try {
    parse(bad.text);
    ADD_FAILURE() << "accepted; expected: " << bad.message;
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), bad.code) << e.what();
    EXPECT_NE(std::string_view(e.what()).find(bad.message), std::string_view::npos)
        << "got: " << e.what() << "\nexpected: " << bad.message;
  }
}

inline std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

}  // namespace lade::oci
