#include "libimage/base/error.h"

#include <cctype>
#include <cerrno>
#include <cstring>

#include "libimage/base/text.h"

namespace lade {

Error::Error(Errc code, std::string message, ErrorDetail detail)
    : Error(State{code, std::move(message), std::move(detail)}) {}

Error::Error(State state) : state_(std::make_shared<const State>(std::move(state))) {}

Error Error::in(std::string_view context) const {
  State state = *state_;
  state.message = cat(context, ": ", state_->message);
  return Error(std::move(state));
}

Error Error::as_final() const {
  State state = *state_;
  state.final = true;
  return Error(std::move(state));
}

std::string errno_text(int value) {
  char buffer[128];
  std::string text =
      strerror_r(value, buffer, sizeof buffer);  // GNU form: may return a static string
  if (text.size() > 1 && std::isupper(static_cast<unsigned char>(text[0])) != 0 &&
      std::isupper(static_cast<unsigned char>(text[1])) == 0) {
    text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  }
  return text;
}

void throw_errno(std::string_view operation) { throw_errno(operation, errno); }

void throw_errno(std::string_view operation, int value) {
  Errc code = Errc::io;
  if (value == ENOENT) code = Errc::not_found;
  if (value == EEXIST) code = Errc::already_exists;
  if (value == EACCES || value == EPERM) code = Errc::denied;
  throw Error(code, cat(operation, ": ", errno_text(value)), ErrnoDetail{value});
}

}  // namespace lade
