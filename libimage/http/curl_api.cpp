#include "libimage/http/curl_api.h"

#include <dlfcn.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade {
namespace {

template <typename Function>
void bind(void* library, Function& function, const char* name) {
  function = reinterpret_cast<Function>(::dlsym(library, name));
  if (function == nullptr) {
    throw Error(Errc::unsupported, cat("load libcurl.so.4: it has no ", name));
  }
}

CurlApi load() {
  // Never closed: libcurl and the libraries behind it keep state of the process.
  void* library = ::dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* reason = ::dlerror();
    throw Error(Errc::unsupported, cat("registries need libcurl (Debian: libcurl4): ",
                                       reason == nullptr ? "cannot be loaded" : reason));
  }
  decltype(&::curl_global_init) global_init = nullptr;
  bind(library, global_init, "curl_global_init");
  CurlApi api{};
  bind(library, api.easy_init, "curl_easy_init");
  bind(library, api.easy_cleanup, "curl_easy_cleanup");
  bind(library, api.easy_setopt, "curl_easy_setopt");
  bind(library, api.easy_getinfo, "curl_easy_getinfo");
  bind(library, api.easy_pause, "curl_easy_pause");
  bind(library, api.easy_strerror, "curl_easy_strerror");
  bind(library, api.slist_append, "curl_slist_append");
  bind(library, api.slist_free_all, "curl_slist_free_all");
  bind(library, api.multi_init, "curl_multi_init");
  bind(library, api.multi_cleanup, "curl_multi_cleanup");
  bind(library, api.multi_setopt, "curl_multi_setopt");
  bind(library, api.multi_add_handle, "curl_multi_add_handle");
  bind(library, api.multi_remove_handle, "curl_multi_remove_handle");
  bind(library, api.multi_perform, "curl_multi_perform");
  bind(library, api.multi_poll, "curl_multi_poll");
  bind(library, api.multi_wakeup, "curl_multi_wakeup");
  bind(library, api.multi_info_read, "curl_multi_info_read");
  if (global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
    throw Error(Errc::internal, "libcurl cannot be initialised");
  }
  return api;
}

}  // namespace

const CurlApi& curl_api() {
  static const CurlApi api = load();
  return api;
}

}  // namespace lade
