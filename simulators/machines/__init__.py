"""Simulated machines of a card station: they move, print and stripe virtual cards. Each was written from the facts of
its protocol, apart from its driver.

In a test, without a port, a thread or waiting::

    body = MachineBody.at_stock(stock, "lane-1", BodyManner(seconds=1.5))      # simulators.machines.body
    machine = SimulatedCrt571(body, clock=VirtualClock())                      # .crt571.machine, .clock
    line = MemoryLine(machine)                                                 # .link: a ByteLink

``line.read(seconds)`` waits on the machine's clock: with a VirtualClock it returns at once and the time has passed.
At a port, for a driver that opens one: ``with DevicePort(machine) as port: … port.port`` (.port), without the clock.

- The stock directory feeds it; finished cards lie in ``issued`` and rejected ones in ``rejects``, and ``body.record``
  counts them (``fed``, ``output``, ``reject``). The card inside lies in ``machines/NAME/inside`` of the stock.
  ``MachineBody.of_cards(directory, cards)`` feeds a list of card files and has bins of its own.
- ``machine.power_off()`` and ``power_on()`` come from any thread at any moment. A new body at the same place finds
  everything as the killed one left it.
- Persons: ``body.damage(BodyFault.JAM)``, ``body.repair()``, ``body.remove_card()``, ``body.empty_reject()``,
  ``body.take_from_exit()``, ``machine.insert(card)``.
- Faults on the line and in the power: ``SimulatedCrt571(body, faults=WireFaults([WireFault.parse("lose-out:7")]))``;
  the kinds are listed in .faults. What firmware does differently: ``Crt571Options`` (.crt571.options).

A card printer, with the reader for its inside, and a stripe writer::

    chip = reader_inside("printer-1")                                          # .evolis.slots: a Reader
    printer = EvolisPrinter(body, PrinterManner(ack=True), contacts=chip)      # .evolis.printer, .evolis.answers
    printer.settings.ribbon = Ribbon.new("ymcko")                              # .evolis.ribbon
    machine = SimulatedEvolis(printer, clock=VirtualClock())                   # .evolis.machine
    writer = SimulatedMsr605()                                                 # .msr605

- What is printed lies beside the card file (``chip-….front.png``, ``.back.png``), as its stripe does: ``StripeFile``
  (.stripe.stripe) reads what either machine wrote. Both go with the card into its bin.
- Persons: ``printer.misfeeds = 1``, ``printer.clean()``, ``printer.encoder.next_error``; ``writer.swipe(card)`` once a
  command waits, or ``writer.swipe_next(card)`` before.
- ``TcpPort(machine)`` (.tcp) serves a machine at a TCP port.
"""
