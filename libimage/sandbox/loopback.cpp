#include "libimage/sandbox/loopback.h"

#include <cstring>

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "libimage/base/error.h"
#include "libimage/base/unique_fd.h"

namespace lade::sandbox {

void bring_loopback_up() {
  constexpr const char* kOperation = "bring the loopback interface up";
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) throw_errno(kOperation);
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (::ioctl(socket.get(), SIOCSIFFLAGS, &request) != 0) throw_errno(kOperation);
}

}  // namespace lade::sandbox
