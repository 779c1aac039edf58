"""Jobs of cloud and other plug-ins: tables of operators, a module for each vendor."""
