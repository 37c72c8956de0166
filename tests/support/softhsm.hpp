// A SoftHSM of a test's own: tokens in a temporary folder, made by softhsm2-util, and objects put in them through PKCS#11.
#pragma once

#include <p11-kit/p11-kit.h>
#include <p11-kit/pkcs11.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "security/keys.hpp"

namespace schakel::test {

class SoftHsm {
 public:
  // Where Debian puts the library; empty: it is not installed.
  static std::string library() {
    for (const char* path : {"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so"})
      if (std::filesystem::exists(path) && std::system("command -v softhsm2-util >/dev/null") == 0) return path;
    return {};
  }

  // Sets SOFTHSM2_CONF for this process and its children: one at a time, and no library may have been started before.
  SoftHsm() {
    std::string name = (std::filesystem::temp_directory_path() / "schakel-softhsm-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    std::filesystem::create_directories(tokens());
    std::ofstream(folder_ / "softhsm2.conf") << "directories.tokendir = " << tokens().string() << "\nlog.level = ERROR\n";
    ::setenv("SOFTHSM2_CONF", configuration().c_str(), 1);
  }
  ~SoftHsm() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  SoftHsm(const SoftHsm&) = delete;
  SoftHsm& operator=(const SoftHsm&) = delete;

  std::string configuration() const { return (folder_ / "softhsm2.conf").string(); }
  std::filesystem::path tokens() const { return folder_ / "tokens"; }
  const std::filesystem::path& folder() const { return folder_; }

  void add_token(const std::string& label, const std::string& pin) const {
    run("softhsm2-util --init-token --free --label " + label + " --so-pin 87654321 --pin " + pin);
  }
  // `id`: hexadecimal.
  void add_key(const std::string& token, const std::string& pin, EVP_PKEY* key, const std::string& label, const std::string& id) const {
    const auto file = (folder_ / "import.pem").string();
    std::ofstream(file) << security::private_key_pem(key).value();
    run("softhsm2-util --import " + file + " --token " + token + " --pin " + pin + " --label " + label + " --id " + id);
    std::filesystem::remove(file);
  }

  // The library's functions for this test alone, started.
  class Library {
   public:
    Library() : functions_(p11_kit_module_load(library().c_str(), 0)) {
      if (functions_ == nullptr || p11_kit_module_initialize(functions_) != CKR_OK) throw std::runtime_error("no SoftHSM");
    }
    ~Library() {
      p11_kit_module_finalize(functions_);
      p11_kit_module_release(functions_);
    }
    Library(const Library&) = delete;
    Library& operator=(const Library&) = delete;
    const CK_FUNCTION_LIST* operator->() const { return functions_; }
    const CK_FUNCTION_LIST& operator*() const { return *functions_; }

    CK_SLOT_ID slot_of(const std::string& label) const {
      CK_ULONG count = 0;
      functions_->C_GetSlotList(CK_TRUE, nullptr, &count);
      std::vector<CK_SLOT_ID> slots(count);
      functions_->C_GetSlotList(CK_TRUE, slots.data(), &count);
      for (const auto slot : slots) {
        CK_TOKEN_INFO info{};
        functions_->C_GetTokenInfo(slot, &info);
        if (std::string(reinterpret_cast<const char*>(info.label), label.size() + 1) == label + " ") return slot;
      }
      throw std::runtime_error("no token " + label);
    }

   private:
    CK_FUNCTION_LIST* functions_;
  };

  void add_certificate(const std::string& token, const std::string& pin, const security::Certificate& certificate) const {
    const Library library;
    CK_SESSION_HANDLE session = 0;
    CK_OBJECT_HANDLE made = 0;
    Bytes der = certificate->der, subject = certificate->subject_der, secret = pin;
    CK_OBJECT_CLASS type = CKO_CERTIFICATE;
    CK_CERTIFICATE_TYPE x509 = CKC_X_509;
    CK_BBOOL yes = CK_TRUE;
    CK_ATTRIBUTE object[] = {{CKA_CLASS, &type, sizeof type},
                             {CKA_CERTIFICATE_TYPE, &x509, sizeof x509},
                             {CKA_TOKEN, &yes, sizeof yes},
                             {CKA_SUBJECT, subject.data(), subject.size()},
                             {CKA_VALUE, der.data(), der.size()}};
    library->C_OpenSession(library.slot_of(token), CKF_SERIAL_SESSION | CKF_RW_SESSION, nullptr, nullptr, &session);
    library->C_Login(session, CKU_USER, reinterpret_cast<CK_UTF8CHAR*>(secret.data()), secret.size());
    if (library->C_CreateObject(session, object, std::size(object), &made) != CKR_OK)
      throw std::runtime_error("the token takes no certificate");
    library->C_CloseSession(session);
  }

 private:
  static void run(const std::string& command) {
    if (std::system((command + " >/dev/null").c_str()) != 0) throw std::runtime_error(command);
  }
  std::filesystem::path folder_;
};

}  // namespace schakel::test
