-- Row J20: limits that the definition of their method has, while none is set for it; null as false.
ALTER TABLE offstage.method_limits ADD COLUMN announced boolean;
