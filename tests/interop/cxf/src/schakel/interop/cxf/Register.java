package schakel.interop.cxf;

import example.aanbieder.wus.wsdl.inschrijving_v1.IInschrijvingServiceV1;
import example.aanbieder.wus.wsdl.inschrijving_v1.InschrijvingFoutMessage;
import example.aanbieder.wus.xsd.inschrijving_v1.InschrijvingFout;
import example.aanbieder.wus.xsd.inschrijving_v1.MeldWijziging;
import example.aanbieder.wus.xsd.inschrijving_v1.MeldWijzigingResponse;
import example.aanbieder.wus.xsd.inschrijving_v1.VraagInschrijving;
import example.aanbieder.wus.xsd.inschrijving_v1.VraagInschrijvingResponse;
import jakarta.jws.WebService;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/**
 * The sample service. Its answers are functions of the request, so that the other side knows that every octet arrived; the same ones as in {@code ../zeep/register.py}. Number 00000000 is unknown: the
 * declared fault.
 */
@WebService(endpointInterface = "example.aanbieder.wus.wsdl.inschrijving_v1.IInschrijvingServiceV1", targetNamespace = "http://wus.aanbieder.example/wsdl/inschrijving-v1",
    serviceName = "InschrijvingService_v1", portName = "InschrijvingService_v1Port")
public final class Register implements IInschrijvingServiceV1 {
  private static final String UNKNOWN = "00000000";

  @Override
  public VraagInschrijvingResponse vraagInschrijving(VraagInschrijving question) throws InschrijvingFoutMessage {
    known(question.getInschrijfnummer());
    var answer = new VraagInschrijvingResponse();
    answer.setInschrijfnummer(question.getInschrijfnummer());
    answer.setNaam("Bakkerij \u2018t Stoepje & Zn. \ud83e\udd50");
    answer.setStatus("ACTIEF");
    var date = question.getPeildatum();  // absent, nil or a date
    answer.setOpmerking(date == null || date.isNil() ? null : "Peildatum ontvangen");
    return answer;
  }

  @Override
  public MeldWijzigingResponse meldWijziging(MeldWijziging report) throws InschrijvingFoutMessage {
    known(report.getInschrijfnummer());
    try {
      var digest = MessageDigest.getInstance("SHA-256");
      digest.update(report.getOmschrijving().getBytes(StandardCharsets.UTF_8));
      for (var one : report.getBijlage())
        try (var in = one.getInputStream()) {
          digest.update(in.readAllBytes());
        }
      var answer = new MeldWijzigingResponse();
      answer.setOntvangstnummer(HexFormat.of().formatHex(digest.digest()));
      return answer;
    } catch (IOException | NoSuchAlgorithmException broken) {
      throw new IllegalStateException(broken);
    }
  }

  private static void known(String number) throws InschrijvingFoutMessage {
    if (!number.equals(UNKNOWN)) return;
    var fault = new InschrijvingFout();
    fault.setCode("ONBEKEND");
    fault.setMelding("Het inschrijfnummer is onbekend");
    throw new InschrijvingFoutMessage("Inschrijving onbekend", fault);
  }
}
